$header
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity an_argmax is
  port (
    clk_i : in std_logic;
    rst_i : in std_logic;  -- synchronous, active high
    x_data_i  : in  std_logic_vector($x_high downto 0);
    x_valid_i : in  std_logic;
    x_ready_o : out std_logic;
    y_data_o  : out std_logic_vector($y_high downto 0);
    y_valid_o : out std_logic;
    y_ready_i : in  std_logic;
    y_last_o  : out std_logic;
    y_class_o : out std_logic_vector($class_high downto 0)
  );
end entity an_argmax;

architecture rtl of an_argmax is

  signal s_go    : std_logic;
  signal s_index : unsigned($class_high downto 0);  -- of the value that arrives
  signal s_best  : signed($x_high downto 0);  -- the largest value so far in this vector
  signal s_class : unsigned($class_high downto 0);  -- its index
  signal s_data  : std_logic_vector($y_high downto 0);
  signal s_valid : std_logic;
  signal s_last  : std_logic;

begin

  s_go <= y_ready_i or not s_valid;
  x_ready_o <= s_go;

  p_control : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_index <= (others => '0');
        s_valid <= '0';
      elsif s_go = '1' then
        s_valid <= x_valid_i;
        if x_valid_i = '1' then
          if s_index = $last then
            s_index <= (others => '0');
          else
            s_index <= s_index + 1;
          end if;
        end if;
      end if;
    end if;
  end process p_control;

  p_data : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if s_go = '1' and x_valid_i = '1' then
        s_data <= std_logic_vector(resize(signed(x_data_i), s_data'length));
$choice
        s_last <= '0';
        if s_index = $last then
          s_last <= '1';
        end if;
      end if;
    end if;
  end process p_data;

  y_data_o <= s_data;
  y_valid_o <= s_valid;
  y_last_o <= s_last;
  y_class_o <= std_logic_vector(s_class);

end architecture rtl;
