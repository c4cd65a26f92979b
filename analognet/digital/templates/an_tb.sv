// an_tb: the testbench of an_tb.vhd in SystemVerilog, for netlists: the Verilog that GHDL writes,
// or what synthesis made of it. Runs in Icarus Verilog and in Verilator.
//
// inputs.hex holds one beat per line, outputs.hex gets one output per line as "data class last".
`timescale 1ns / 1ps

module an_tb;
  parameter integer VECTORS = $vectors;
  parameter integer STALLS = 30;  // percent of cycles without valid, and without ready
  parameter integer SEED = 1;
  localparam integer BEATS = $in_beats;
  localparam integer OUTPUTS = $n_out;
  localparam integer PATIENCE = $patience;

  reg clk = 0, resetn = 0;
  reg [$s_high:0] inputs[0:VECTORS * BEATS - 1];
  reg [$s_high:0] tdata = 0;
  reg tvalid = 0, tlast = 0, rready = 0;
  wire tready, rvalid, rlast, frame_error;
  wire [$m_high:0] rdata;
  wire [$class_high:0] ruser;
  integer sent = 0, received = 0, waited = 0, file;
  reg [31:0] random = SEED;

  an_top dut (
    .aclk(clk), .aresetn(resetn),
    .s_axis_tdata(tdata), .s_axis_tvalid(tvalid), .s_axis_tready(tready), .s_axis_tlast(tlast),
    .m_axis_tdata(rdata), .m_axis_tvalid(rvalid), .m_axis_tready(rready), .m_axis_tlast(rlast),
    .m_axis_tuser(ruser), .frame_error(frame_error)
  );

  // x_{n+1} = 1664525 x_n + 1013904223 (Numerical Recipes); its high bits decide
  function [31:0] next_random(input [31:0] x);
    next_random = 32'd1664525 * x + 32'd1013904223;
  endfunction

  always #5 clk = !clk;

  initial begin
    $$readmemh("inputs.hex", inputs);
    file = $$fopen("outputs.hex", "w");
$dump  end

  integer reset_cycles = 0;
  reg accepted, more;
  integer next_beat;

  always @(posedge clk) begin
    if (reset_cycles < 4) begin
      reset_cycles <= reset_cycles + 1;
      resetn <= reset_cycles == 3;
    end else if (resetn) begin
      random <= next_random(random);
      // source: a beat that is offered stays until it is taken
      accepted = tvalid && tready;
      next_beat = sent + (accepted ? 1 : 0);
      more = next_beat < VECTORS * BEATS;
      sent <= next_beat;
      if (!tvalid || accepted) begin
        tvalid <= more && (random[31:16] % 100 >= STALLS);
        tlast <= next_beat % BEATS == BEATS - 1;
        if (more) tdata <= inputs[next_beat];
      end
      // sink
      rready <= random[15:0] % 100 >= STALLS;
      waited <= waited + 1;
      if (rvalid && rready) begin
        waited <= 0;
        $$fdisplay(file, "%h %h %b", rdata, ruser, rlast);
        received <= received + 1;
        if (received == VECTORS * OUTPUTS - 1) begin
          $$display("an_tb: %0d outputs, frame_error %b", VECTORS * OUTPUTS, frame_error);
          $$fclose(file);
          $$finish;
        end
      end
      if (waited > PATIENCE) begin
        $$display("an_tb: no output: the design is stuck");
        $$finish;
      end
    end
  end
endmodule
