-- an_tb: drives an_top with the vectors of a file and compares every output with another file.
--
-- Files hold one vector per line as decimal integers. Lines of `expected` end with the class.
-- With G_STALLS > 0 the source pauses and the sink refuses beats in that percentage of cycles.
-- Written are `outputs` (as the design gave them) and `cycles` (per vector: the clock cycle of
-- its first input beat and of its last output beat).

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use ieee.math_real.all;
use std.textio.all;
use std.env.all;

entity an_tb is
  generic (
    G_VECTORS  : natural := $vectors;
    G_STALLS   : natural := 30;
    G_SEED     : positive := 1;
    G_INPUTS   : string := "inputs.txt";
    G_EXPECTED : string := "expected.txt";
    G_OUTPUTS  : string := "outputs.txt";
    G_CYCLES   : string := "cycles.txt"
  );
end entity an_tb;

architecture sim of an_tb is

  constant C_PERIOD  : time := 10 ns;
  constant C_BEATS   : positive := $in_beats;
  constant C_INPUTS  : positive := $inputs;  -- values per beat
  constant C_LANE    : positive := $lane_bits;  -- bits of tdata per value
  constant C_OUTPUTS : positive := $n_out;
  constant C_PATIENCE : positive := $patience;  -- cycles without an output that mean a deadlock

  signal s_clk      : std_logic;
  signal s_resetn   : std_logic;
  signal s_cycle    : natural;
  signal s_tdata    : std_logic_vector(C_INPUTS * C_LANE - 1 downto 0);
  signal s_tvalid   : std_logic;
  signal s_tready   : std_logic;
  signal s_tlast    : std_logic;
  signal s_rdata    : std_logic_vector($m_high downto 0);
  signal s_rvalid   : std_logic;
  signal s_rready   : std_logic;
  signal s_rlast    : std_logic;
  signal s_ruser    : std_logic_vector($class_high downto 0);
  signal s_error    : std_logic;
  signal s_finished : boolean;

  type t_starts is array (0 to 1023) of natural;
  signal s_starts : t_starts;  -- first cycle of the vectors in flight

begin

  i_dut : entity work.an_top
    port map (
      aclk => s_clk,
      aresetn => s_resetn,
      s_axis_tdata => s_tdata,
      s_axis_tvalid => s_tvalid,
      s_axis_tready => s_tready,
      s_axis_tlast => s_tlast,
      m_axis_tdata => s_rdata,
      m_axis_tvalid => s_rvalid,
      m_axis_tready => s_rready,
      m_axis_tlast => s_rlast,
      m_axis_tuser => s_ruser,
      frame_error => s_error
    );

  p_clock : process
  begin
    s_clk <= '0';
    s_resetn <= '0';
    for i in 1 to 4 loop
      wait for C_PERIOD / 2;
      s_clk <= '1';
      wait for C_PERIOD / 2;
      s_clk <= '0';
    end loop;
    s_resetn <= '1';
    s_cycle <= 0;
    while not s_finished loop
      wait for C_PERIOD / 2;
      s_clk <= '1';
      wait for C_PERIOD / 2;
      s_clk <= '0';
      s_cycle <= s_cycle + 1;
    end loop;
    wait;
  end process p_clock;

  p_source : process
    file f_inputs : text open read_mode is G_INPUTS;
    variable v_line : line;
    variable v_value : integer;
    variable v_seed1 : positive := G_SEED;
    variable v_seed2 : positive := 17;
    variable v_random : real;
    variable v_data : std_logic_vector(s_tdata'range);
  begin
    s_tvalid <= '0';
    s_tlast <= '0';
    wait until rising_edge(s_clk) and s_resetn = '1';
    for vector in 0 to G_VECTORS - 1 loop
      readline(f_inputs, v_line);
      for beat in 0 to C_BEATS - 1 loop
        for i in 0 to C_INPUTS - 1 loop
          read(v_line, v_value);
          v_data((i + 1) * C_LANE - 1 downto i * C_LANE) :=
            std_logic_vector(to_signed(v_value, C_LANE));
        end loop;
        loop
          uniform(v_seed1, v_seed2, v_random);
          exit when v_random * 100.0 >= real(G_STALLS);
          s_tvalid <= '0';
          wait until rising_edge(s_clk);
        end loop;
        s_tdata <= v_data;
        s_tvalid <= '1';
        if beat = C_BEATS - 1 then
          s_tlast <= '1';
        else
          s_tlast <= '0';
        end if;
        wait until rising_edge(s_clk) and s_tready = '1';
        if beat = 0 then
          s_starts(vector mod s_starts'length) <= s_cycle;
        end if;
      end loop;
    end loop;
    s_tvalid <= '0';
    wait;
  end process p_source;

  p_sink : process
    file f_expected : text open read_mode is G_EXPECTED;
    file f_outputs : text open write_mode is G_OUTPUTS;
    file f_cycles : text open write_mode is G_CYCLES;
    variable v_line : line;
    variable v_out : line;
    variable v_expected : integer;
    variable v_class : integer;
    variable v_mismatches : natural := 0;
    variable v_wait : natural;
    variable v_seed1 : positive := G_SEED;
    variable v_seed2 : positive := 4711;
    variable v_random : real;
  begin
    s_finished <= false;
    s_rready <= '0';
    wait until rising_edge(s_clk) and s_resetn = '1';
    for vector in 0 to G_VECTORS - 1 loop
      readline(f_expected, v_line);
      for output in 0 to C_OUTPUTS - 1 loop
        v_wait := 0;
        loop
          uniform(v_seed1, v_seed2, v_random);
          if v_random * 100.0 >= real(G_STALLS) then
            s_rready <= '1';
          else
            s_rready <= '0';
          end if;
          wait until rising_edge(s_clk);
          exit when s_rready = '1' and s_rvalid = '1';
          v_wait := v_wait + 1;
          assert v_wait < C_PATIENCE report "an_tb: no output: the design is stuck" severity failure;
        end loop;
        read(v_line, v_expected);
        write(v_out, to_integer(signed(s_rdata)));
        write(v_out, ' ');
        if to_integer(signed(s_rdata)) /= v_expected then
          v_mismatches := v_mismatches + 1;
          report "an_tb: vector " & integer'image(vector) & " output " & integer'image(output)
            & ": " & integer'image(to_integer(signed(s_rdata))) & ", expected "
            & integer'image(v_expected) severity warning;
        end if;
        if (s_rlast = '1') /= (output = C_OUTPUTS - 1) then
          v_mismatches := v_mismatches + 1;
          report "an_tb: tlast is wrong at vector " & integer'image(vector) & " output "
            & integer'image(output) severity warning;
        end if;
      end loop;
      v_class := to_integer(unsigned(s_ruser));
      read(v_line, v_expected);
      write(v_out, v_class);
      writeline(f_outputs, v_out);
      if v_class /= v_expected then
        v_mismatches := v_mismatches + 1;
        report "an_tb: vector " & integer'image(vector) & ": class " & integer'image(v_class)
          & ", expected " & integer'image(v_expected) severity warning;
      end if;
      write(v_out, s_starts(vector mod s_starts'length));
      write(v_out, ' ');
      write(v_out, s_cycle);
      writeline(f_cycles, v_out);
    end loop;
    s_rready <= '0';
    if s_error = '1' then
      v_mismatches := v_mismatches + 1;
      report "an_tb: frame_error is set although tlast was right" severity warning;
    end if;
    write(v_out, string'("an_tb: ") & integer'image(G_VECTORS) & " vectors, "
      & integer'image(v_mismatches) & " mismatches");
    writeline(output, v_out);
    s_finished <= true;
    assert v_mismatches = 0 report "an_tb: FAILED" severity failure;
    wait;
  end process p_sink;

end architecture sim;
