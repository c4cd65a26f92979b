$header
library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity an_top is
  port (
    aclk    : in std_logic;
    aresetn : in std_logic;  -- synchronous, active low
    -- AXI4-Stream in: one vector is $in_beats beats of $in_values
    s_axis_tdata  : in  std_logic_vector($s_high downto 0);
    s_axis_tvalid : in  std_logic;
    s_axis_tready : out std_logic;
    s_axis_tlast  : in  std_logic;
    -- AXI4-Stream out: one vector is $n_out beats, tlast on the last.
    -- tuser is the class on that beat: the index of the largest output, the first of equals
    m_axis_tdata  : out std_logic_vector($m_high downto 0);
    m_axis_tvalid : out std_logic;
    m_axis_tready : in  std_logic;
    m_axis_tlast  : out std_logic;
    m_axis_tuser  : out std_logic_vector($class_high downto 0);
    -- set for good when s_axis_tlast was not on the last beat of a vector; cleared by reset
    frame_error   : out std_logic
  );
end entity an_top;

architecture rtl of an_top is

  signal s_reset : std_logic;
  signal s_frame : unsigned($frame_high downto 0);  -- beat within the vector
  signal s_frame_error : std_logic;
  -- streams between the layers: s_k goes into layer k, the last one into the argmax
$streams
begin

  s_reset <= not aresetn;

$input_map
  s_0_valid <= s_axis_tvalid;
  s_axis_tready <= s_0_ready;

  p_frame : process (aclk)
  begin
    if rising_edge(aclk) then
      if s_reset = '1' then
        s_frame <= (others => '0');
        s_frame_error <= '0';
      elsif s_axis_tvalid = '1' and s_0_ready = '1' then
        if s_frame = $frame_last then
          s_frame <= (others => '0');
          s_frame_error <= s_frame_error or not s_axis_tlast;
        else
          s_frame <= s_frame + 1;
          s_frame_error <= s_frame_error or s_axis_tlast;
        end if;
      end if;
    end if;
  end process p_frame;

  frame_error <= s_frame_error;

$instances
  i_argmax : entity work.an_argmax
    port map (
      clk_i => aclk,
      rst_i => s_reset,
      x_data_i => s_${n_layers}_data,
      x_valid_i => s_${n_layers}_valid,
      x_ready_o => s_${n_layers}_ready,
      y_data_o => m_axis_tdata,
      y_valid_o => m_axis_tvalid,
      y_ready_i => m_axis_tready,
      y_last_o => m_axis_tlast,
      y_class_o => m_axis_tuser
    );

end architecture rtl;
