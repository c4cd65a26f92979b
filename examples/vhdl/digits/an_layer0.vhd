-- an_layer0: layer 0, 64 inputs to 32 neurons, relu.
--
-- 32 lanes: 32 neurons x 1 input per cycle, 1 pass of 64 beats.
-- x s8.6, weights s8.6, sums 19 bits, y s8.4; sB.F has B bits, of them F a fraction.
-- A vector takes 65 cycles; its last output follows its last input after 38.

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;
use work.an_pkg.all;
use work.an_layer0_data.all;

entity an_layer0 is
  port (
    clk_i : in std_logic;
    rst_i : in std_logic;  -- synchronous, active high
    -- inputs, 1 per beat, the first in the low bits
    x_data_i  : in  std_logic_vector(7 downto 0);
    x_valid_i : in  std_logic;
    x_ready_o : out std_logic;
    -- outputs, 1 per beat, the first in the low bits
    y_data_o  : out std_logic_vector(7 downto 0);
    y_valid_o : out std_logic;
    y_ready_i : in  std_logic
  );
end entity an_layer0;

architecture rtl of an_layer0 is

  constant C_BEATS   : positive := 64;  -- beats that make one input vector
  constant C_NEURONS : positive := 32;  -- sums formed at the same time
  constant C_INPUTS  : positive := 1;  -- inputs multiplied per cycle and neuron
  constant C_EMIT    : positive := 1;  -- outputs per beat
  constant C_X_BITS  : positive := 8;
  constant C_W_BITS  : positive := 8;
  constant C_ACC     : positive := 19;  -- no sum of this layer's products can overflow it
  constant C_Y_BITS  : positive := 8;

  type t_product is array (0 to C_NEURONS * C_INPUTS - 1) of signed(C_X_BITS + C_W_BITS - 1 downto 0);
  type t_sums is array (0 to C_NEURONS - 1) of signed(C_ACC - 1 downto 0);
  type t_emit is array (0 to C_EMIT - 1) of signed(C_ACC - 1 downto 0);

  -- input side
  signal s_issue : std_logic;  -- one beat enters the multipliers in this cycle
  signal s_last  : std_logic;  -- it is the last one of a sum
  signal s_beat  : unsigned(5 downto 0);
  signal s_ready : std_logic;

  -- multiply and accumulate; the number is the pipeline stage
  signal s1_x, s2_x : std_logic_vector(C_INPUTS * C_X_BITS - 1 downto 0);
  signal s1_w, s2_w : std_logic_vector(C_NEURONS * C_INPUTS * C_W_BITS - 1 downto 0);
  signal s3_product : t_product;
  signal s1_valid, s2_valid, s3_valid : std_logic;
  signal s1_last, s2_last, s3_last : std_logic;
  signal s_acc  : t_sums;
  signal s_done : std_logic;  -- s_acc holds finished sums

  -- output side
  signal s_go        : std_logic;  -- the output pipeline moves
  signal s_busy      : std_logic;  -- from the last beat of a sum until its outputs have left
  signal s_sums      : t_sums;  -- finished sums, shifted out from index 0
  signal s_full      : std_logic;  -- s_sums holds values still to send
  signal s_left      : unsigned(4 downto 0);  -- beats still to send, less one
  signal s_group     : unsigned(4 downto 0);  -- next word of C_BIAS
  signal s_bias      : std_logic_vector(C_EMIT * C_ACC - 1 downto 0);
  signal s_sum       : t_emit;
  signal s_sum_valid : std_logic;
  signal s_y         : std_logic_vector(7 downto 0);
  signal s_y_valid   : std_logic;

begin

  -- Input side: beats go straight to the multipliers. After the last beat of a vector one cycle
  -- stays empty, in which the sums are handed over; that last beat waits until the sums before
  -- it have left. x_ready_o is a register.
  s_issue <= x_valid_i and s_ready;
  x_ready_o <= s_ready;

  p_input : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_beat <= (others => '0');
        s_last <= '0';
        s_ready <= '0';
      else
        if s_issue = '1' then
          if s_last = '1' then
            s_beat <= (others => '0');
            s_last <= '0';
          else
            s_beat <= s_beat + 1;
            if s_beat = 62 then
              s_last <= '1';
            end if;
          end if;
        end if;
        if s_issue = '1' and s_last = '1' then
          s_ready <= '0';
        elsif s_issue = '1' and s_beat /= 62 then
          s_ready <= '1';
        elsif s_issue = '0' and s_last = '0' then
          s_ready <= '1';
        else
          s_ready <= not s_busy;
        end if;
      end if;
    end if;
  end process p_input;

  p_operands : process (clk_i)
  begin
    if rising_edge(clk_i) then
      s1_x <= x_data_i;
      s1_w <= C_WEIGHTS(to_integer(s_beat));
    end if;
  end process p_operands;

  -- Multiply and accumulate. Nothing here ever stalls: cycles without a beat add nothing.
  p_valid : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s1_valid <= '0';
        s2_valid <= '0';
        s3_valid <= '0';
        s1_last <= '0';
        s2_last <= '0';
        s3_last <= '0';
        s_done <= '0';
      else
        s1_valid <= s_issue;
        s1_last <= s_issue and s_last;
        s2_valid <= s1_valid;
        s2_last <= s1_last;
        s3_valid <= s2_valid;
        s3_last <= s2_last;
        s_done <= s3_last;
      end if;
    end if;
  end process p_valid;

  p_multiply : process (clk_i)
  begin
    if rising_edge(clk_i) then
      -- a memory answers late: the way from it to the multipliers gets registers
      s2_x <= s1_x;
      s2_w <= s1_w;
      for n in 0 to C_NEURONS - 1 loop
        for i in 0 to C_INPUTS - 1 loop
          s3_product(n * C_INPUTS + i) <=
            signed(s2_x((i + 1) * C_X_BITS - 1 downto i * C_X_BITS))
            * signed(s2_w((n * C_INPUTS + i + 1) * C_W_BITS - 1 downto (n * C_INPUTS + i) * C_W_BITS));
        end loop;
      end loop;
    end if;
  end process p_multiply;

  p_accumulate : process (clk_i)
  begin
    if rising_edge(clk_i) then
      for n in 0 to C_NEURONS - 1 loop
        if rst_i = '1' or s_done = '1' then
          s_acc(n) <= (others => '0');
        elsif s3_valid = '1' then
          s_acc(n) <= s_acc(n) + resize(s3_product(n), C_ACC);
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
          s_left <= to_unsigned(31, s_left'length);
        elsif s_go = '1' and s_full = '1' then
          if s_left = 0 then
            s_full <= '0';
          else
            s_left <= s_left - 1;
          end if;
        end if;
        if s_done = '1' or (s_go = '1' and s_full = '1' and s_left /= 0) then
          if s_group = 31 then
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

  -- bias, rounding by 8 bits, saturation, relu
  p_finish_valid : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_sum_valid <= '0';
        s_y_valid <= '0';
      elsif s_go = '1' then
        s_sum_valid <= s_full;
        s_y_valid <= s_sum_valid;
      end if;
    end if;
  end process p_finish_valid;

  p_finish : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if s_go = '1' then
        for e in 0 to C_EMIT - 1 loop
          s_sum(e) <= s_sums(e) + signed(s_bias((e + 1) * C_ACC - 1 downto e * C_ACC));
          s_y((e + 1) * C_Y_BITS - 1 downto e * C_Y_BITS) <=
            std_logic_vector(an_relu(an_saturate(an_floor_shift(s_sum(e), 8), 8)));
        end loop;
      end if;
    end if;
  end process p_finish;

  y_data_o <= s_y;
  y_valid_o <= s_y_valid;

end architecture rtl;
