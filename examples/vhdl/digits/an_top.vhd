-- an_top: 64 -> 32 -> 10, relu, linear. Written by AnalogNet.
--
-- Inputs s8.6 in 8 bits of tdata each, outputs s16.9 in 16 bits; sB.F has B bits, of them F a fraction.
-- Lanes 32, 10: 119 cycles from the first input beat to the last output beat,
-- a vector every 65 cycles.

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity an_top is
  port (
    aclk    : in std_logic;
    aresetn : in std_logic;  -- synchronous, active low
    -- AXI4-Stream in: one vector is 64 beats of 1 value
    s_axis_tdata  : in  std_logic_vector(7 downto 0);
    s_axis_tvalid : in  std_logic;
    s_axis_tready : out std_logic;
    s_axis_tlast  : in  std_logic;
    -- AXI4-Stream out: one vector is 10 beats, tlast on the last.
    -- tuser is the class on that beat: the index of the largest output, the first of equals
    m_axis_tdata  : out std_logic_vector(15 downto 0);
    m_axis_tvalid : out std_logic;
    m_axis_tready : in  std_logic;
    m_axis_tlast  : out std_logic;
    m_axis_tuser  : out std_logic_vector(3 downto 0);
    -- set for good when s_axis_tlast was not on the last beat of a vector; cleared by reset
    frame_error   : out std_logic
  );
end entity an_top;

architecture rtl of an_top is

  signal s_reset : std_logic;
  signal s_frame : unsigned(5 downto 0);  -- beat within the vector
  signal s_frame_error : std_logic;
  -- streams between the layers: s_k goes into layer k, the last one into the argmax
  signal s_0_data : std_logic_vector(7 downto 0);
  signal s_0_valid, s_0_ready : std_logic;
  signal s_1_data : std_logic_vector(7 downto 0);
  signal s_1_valid, s_1_ready : std_logic;
  signal s_2_data : std_logic_vector(15 downto 0);
  signal s_2_valid, s_2_ready : std_logic;

begin

  s_reset <= not aresetn;

  s_0_data(7 downto 0) <= s_axis_tdata(7 downto 0);
  s_0_valid <= s_axis_tvalid;
  s_axis_tready <= s_0_ready;

  p_frame : process (aclk)
  begin
    if rising_edge(aclk) then
      if s_reset = '1' then
        s_frame <= (others => '0');
        s_frame_error <= '0';
      elsif s_axis_tvalid = '1' and s_0_ready = '1' then
        if s_frame = 63 then
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

  i_layer0 : entity work.an_layer0
    port map (
      clk_i => aclk,
      rst_i => s_reset,
      x_data_i => s_0_data,
      x_valid_i => s_0_valid,
      x_ready_o => s_0_ready,
      y_data_o => s_1_data,
      y_valid_o => s_1_valid,
      y_ready_i => s_1_ready
    );

  i_layer1 : entity work.an_layer1
    port map (
      clk_i => aclk,
      rst_i => s_reset,
      x_data_i => s_1_data,
      x_valid_i => s_1_valid,
      x_ready_o => s_1_ready,
      y_data_o => s_2_data,
      y_valid_o => s_2_valid,
      y_ready_i => s_2_ready
    );

  i_argmax : entity work.an_argmax
    port map (
      clk_i => aclk,
      rst_i => s_reset,
      x_data_i => s_2_data,
      x_valid_i => s_2_valid,
      x_ready_o => s_2_ready,
      y_data_o => m_axis_tdata,
      y_valid_o => m_axis_tvalid,
      y_ready_i => m_axis_tready,
      y_last_o => m_axis_tlast,
      y_class_o => m_axis_tuser
    );

end architecture rtl;
