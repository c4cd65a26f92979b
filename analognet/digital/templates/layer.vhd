$header
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.an_pkg.all;
use work.${name}_data.all;

entity $name is
  port (
    clk_i : in std_logic;
    rst_i : in std_logic;  -- synchronous, active high
    -- inputs, $inputs per beat, the first in the low bits
    x_data_i  : in  std_logic_vector($x_high downto 0);
    x_valid_i : in  std_logic;
    x_ready_o : out std_logic;
    -- outputs, $emit per beat, the first in the low bits
    y_data_o  : out std_logic_vector($y_high downto 0);
    y_valid_o : out std_logic;
    y_ready_i : in  std_logic
  );
end entity $name;

architecture rtl of $name is

  constant C_BEATS   : positive := $beats;  -- beats that make one input vector
$constants  constant C_NEURONS : positive := $neurons;  -- sums formed at the same time
  constant C_INPUTS  : positive := $inputs;  -- inputs multiplied per cycle and neuron
  constant C_EMIT    : positive := $emit;  -- outputs per beat
  constant C_X_BITS  : positive := $x_bits;
  constant C_W_BITS  : positive := $w_bits;
  constant C_ACC     : positive := $acc_bits;  -- no sum of this layer's products can overflow it
  constant C_Y_BITS  : positive := $y_bits;

  type t_product is array (0 to C_NEURONS * C_INPUTS - 1) of signed(C_X_BITS + C_W_BITS - 1 downto 0);
  type t_sums is array (0 to C_NEURONS - 1) of signed(C_ACC - 1 downto 0);
  type t_emit is array (0 to C_EMIT - 1) of signed(C_ACC - 1 downto 0);
$types
  -- input side
  signal s_issue : std_logic;  -- one beat enters the multipliers in this cycle
  signal s_last  : std_logic;  -- it is the last one of a sum
  signal s_beat  : unsigned($beat_high downto 0);
$input_signals
  -- multiply and accumulate; the number is the pipeline stage
$mac_signals  signal s_acc  : t_sums;
  signal s_done : std_logic;  -- s_acc holds finished sums

  -- output side
  signal s_go        : std_logic;  -- the output pipeline moves
  signal s_busy      : std_logic;  -- from the last beat of a sum until its outputs have left
  signal s_sums      : t_sums;  -- finished sums, shifted out from index 0
  signal s_full      : std_logic;  -- s_sums holds values still to send
  signal s_left      : unsigned($left_high downto 0);  -- beats still to send, less one
  signal s_group     : unsigned($group_high downto 0);  -- next word of C_BIAS
  signal s_bias      : std_logic_vector(C_EMIT * C_ACC - 1 downto 0);
  signal s_sum       : t_emit;
  signal s_sum_valid : std_logic;
$output_signals  signal s_y         : std_logic_vector($y_high downto 0);
  signal s_y_valid   : std_logic;

begin

$input_side
  -- Multiply and accumulate. Nothing here ever stalls: cycles without a beat add nothing.
  p_valid : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
$valid_reset      else
$valid_chain      end if;
    end if;
  end process p_valid;

  p_multiply : process (clk_i)
  begin
    if rising_edge(clk_i) then
      -- a memory answers late: the way from it to the multipliers gets registers
$operand_moves      for n in 0 to C_NEURONS - 1 loop
        for i in 0 to C_INPUTS - 1 loop
          ${product}_product(n * C_INPUTS + i) <=
            signed(${operand}_x((i + 1) * C_X_BITS - 1 downto i * C_X_BITS))
            * signed(${operand}_w((n * C_INPUTS + i + 1) * C_W_BITS - 1 downto (n * C_INPUTS + i) * C_W_BITS));
        end loop;
      end loop;
    end if;
  end process p_multiply;
$tree
  p_accumulate : process (clk_i)
  begin
    if rising_edge(clk_i) then
      for n in 0 to C_NEURONS - 1 loop
        if rst_i = '1' or s_done = '1' then
          s_acc(n) <= (others => '0');
        elsif $acc_valid = '1' then
          s_acc(n) <= s_acc(n) + resize($acc_term, C_ACC);
        end if;
      end loop;
    end if;
  end process p_accumulate;

  -- Output side: finished sums leave one beat per cycle, through one rounding unit.
  s_go <= y_ready_i or not s_y_valid;

  p_output : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_busy <= '0';
        s_full <= '0';
        s_left <= (others => '0');
        s_group <= (others => '0');
      else
        if s_issue = '1' and s_last = '1' then
          s_busy <= '1';
        elsif s_go = '1' and s_full = '1' and s_left = 0 then
          s_busy <= '0';
        end if;
        if s_done = '1' then
          s_full <= '1';
          s_left <= to_unsigned($left_last, s_left'length);
        elsif s_go = '1' and s_full = '1' then
          if s_left = 0 then
            s_full <= '0';
          else
            s_left <= s_left - 1;
          end if;
        end if;
        if s_done = '1' or (s_go = '1' and s_full = '1' and s_left /= 0) then
          if s_group = $group_last then
            s_group <= (others => '0');
          else
            s_group <= s_group + 1;
          end if;
        end if;
      end if;
    end if;
  end process p_output;

  p_sums : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if s_done = '1' then
        s_sums <= s_acc;
      elsif s_go = '1' then
        for n in 0 to C_NEURONS - C_EMIT - 1 loop
          s_sums(n) <= s_sums(n + C_EMIT);
        end loop;
      end if;
      if s_done = '1' or s_go = '1' then
        s_bias <= C_BIAS(to_integer(s_group));
      end if;
    end if;
  end process p_sums;

$finish
  y_data_o <= s_y;
  y_valid_o <= s_y_valid;

end architecture rtl;
