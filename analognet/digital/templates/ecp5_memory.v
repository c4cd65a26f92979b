// DP16KD of the ECP5 for simulation, as far as Yosys uses it here: ports of 9 or 18 bits, or 36 bits
// written through A and read through B; output registers at ports of up to 18 bits; port A alone may write.
// A word of 18 bits lies at every 20th bit of the initial values.
module DP16KD(
  input DIA0, DIA1, DIA2, DIA3, DIA4, DIA5, DIA6, DIA7, DIA8,
  input DIA9, DIA10, DIA11, DIA12, DIA13, DIA14, DIA15, DIA16, DIA17,
  input DIB0, DIB1, DIB2, DIB3, DIB4, DIB5, DIB6, DIB7, DIB8,
  input DIB9, DIB10, DIB11, DIB12, DIB13, DIB14, DIB15, DIB16, DIB17,
  input ADA0, ADA1, ADA2, ADA3, ADA4, ADA5, ADA6, ADA7, ADA8, ADA9, ADA10, ADA11, ADA12, ADA13,
  input ADB0, ADB1, ADB2, ADB3, ADB4, ADB5, ADB6, ADB7, ADB8, ADB9, ADB10, ADB11, ADB12, ADB13,
  input CLKA, CEA, OCEA, WEA, RSTA, CSA0, CSA1, CSA2,
  input CLKB, CEB, OCEB, WEB, RSTB, CSB0, CSB1, CSB2,
  output DOA0, DOA1, DOA2, DOA3, DOA4, DOA5, DOA6, DOA7, DOA8,
  output DOA9, DOA10, DOA11, DOA12, DOA13, DOA14, DOA15, DOA16, DOA17,
  output DOB0, DOB1, DOB2, DOB3, DOB4, DOB5, DOB6, DOB7, DOB8,
  output DOB9, DOB10, DOB11, DOB12, DOB13, DOB14, DOB15, DOB16, DOB17
);
  parameter DATA_WIDTH_A = 18;
  parameter DATA_WIDTH_B = 18;
  parameter REGMODE_A = "NOREG";
  parameter REGMODE_B = "NOREG";
  parameter RESETMODE = "SYNC";
  parameter ASYNC_RESET_RELEASE = "SYNC";
  parameter CSDECODE_A = "0b000";
  parameter CSDECODE_B = "0b000";
  parameter WRITEMODE_A = "NORMAL";
  parameter WRITEMODE_B = "NORMAL";
  parameter CLKAMUX = "CLKA";
  parameter CLKBMUX = "CLKB";
  parameter GSR = "ENABLED";
$parameters

  reg [17:0] memory[0:1023];
  wire [13:0] a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
  wire [13:0] b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
  wire [17:0] di_a = {DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9,
                      DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0};
  wire [17:0] di_b = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9,
                      DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0};
  reg [17:0] do_a, do_b, out_a, out_b;
  assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9,
          DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} = REGMODE_A == "OUTREG" ? out_a : do_a;
  assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9,
          DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} = REGMODE_B == "OUTREG" ? out_b : do_b;

  integer i;
  initial begin
    if (DATA_WIDTH_A < 9 || DATA_WIDTH_B < 9 || (DATA_WIDTH_A > 18 && REGMODE_A != "NOREG")
        || (DATA_WIDTH_B > 18 && REGMODE_B != "NOREG")) begin
      $$display("DP16KD: a mode this model does not have");
      $$finish;
    end
    for (i = 0; i < 16; i = i + 1) begin
$initial
    end
  end

  always @(posedge CLKA) if (OCEA) out_a <= do_a;
  always @(posedge CLKB) if (OCEB) out_b <= do_b;

  always @(posedge CLKA) if (CEA) begin
    if (WEA) begin
      if (DATA_WIDTH_A == 9) memory[a[13:4]][9 * a[3] +: 9] <= di_a[8:0];
      else if (DATA_WIDTH_A == 18) begin
        if (a[0]) memory[a[13:4]][8:0] <= di_a[8:0];
        if (a[1]) memory[a[13:4]][17:9] <= di_a[17:9];
      end else begin
        if (a[0]) memory[{a[13:5], 1'b0}][8:0] <= di_a[8:0];
        if (a[1]) memory[{a[13:5], 1'b0}][17:9] <= di_a[17:9];
        if (a[2]) memory[{a[13:5], 1'b1}][8:0] <= di_b[8:0];
        if (a[3]) memory[{a[13:5], 1'b1}][17:9] <= di_b[17:9];
      end
    end
    if (DATA_WIDTH_B != 36)
      do_a <= DATA_WIDTH_A == 9 ? memory[a[13:4]][9 * a[3] +: 9] : memory[a[13:4]];
  end

  always @(posedge CLKB) if (CEB) begin
    if (DATA_WIDTH_B == 36) begin
      do_a <= memory[{b[13:5], 1'b0}];
      do_b <= memory[{b[13:5], 1'b1}];
    end else do_b <= DATA_WIDTH_B == 9 ? memory[b[13:4]][9 * b[3] +: 9] : memory[b[13:4]];
  end
endmodule
