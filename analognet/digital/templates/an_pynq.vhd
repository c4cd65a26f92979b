-- an_pynq: an_top behind an AXI4-Lite control port, for a processor with a DMA on both streams.
-- Written by AnalogNet. Registers of 32 bits, by byte address:
--   0x00 ID       read   "ANN1"
--   0x04 CONTROL  write  bit 0 enable: beats pass; bit 1 reset: one cycle, clears itself
--   0x08 STATUS   read   bit 0 frame error, bit 1 vectors in flight
--   0x0C SHAPE    read   inputs in bits 15..0, outputs in 31..16
--   0x10 FORMAT   read   from the low byte: input bits, input fraction, output bits, output fraction
--   0x14 DONE     read   vectors finished since reset
--   0x18 CLASS    read   class of the last one
--   0x1C CYCLES   read   cycles from the first beat after idle to the last finished vector

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

entity an_pynq is
  port (
    aclk    : in std_logic;
    aresetn : in std_logic;
    s_axi_awaddr  : in  std_logic_vector(5 downto 0);
    s_axi_awprot  : in  std_logic_vector(2 downto 0);
    s_axi_awvalid : in  std_logic;
    s_axi_awready : out std_logic;
    s_axi_wdata   : in  std_logic_vector(31 downto 0);
    s_axi_wstrb   : in  std_logic_vector(3 downto 0);
    s_axi_wvalid  : in  std_logic;
    s_axi_wready  : out std_logic;
    s_axi_bresp   : out std_logic_vector(1 downto 0);
    s_axi_bvalid  : out std_logic;
    s_axi_bready  : in  std_logic;
    s_axi_araddr  : in  std_logic_vector(5 downto 0);
    s_axi_arprot  : in  std_logic_vector(2 downto 0);
    s_axi_arvalid : in  std_logic;
    s_axi_arready : out std_logic;
    s_axi_rdata   : out std_logic_vector(31 downto 0);
    s_axi_rresp   : out std_logic_vector(1 downto 0);
    s_axi_rvalid  : out std_logic;
    s_axi_rready  : in  std_logic;
    s_axis_tdata  : in  std_logic_vector($s_high downto 0);
    s_axis_tvalid : in  std_logic;
    s_axis_tready : out std_logic;
    s_axis_tlast  : in  std_logic;
    m_axis_tdata  : out std_logic_vector($m_high downto 0);
    m_axis_tvalid : out std_logic;
    m_axis_tready : in  std_logic;
    m_axis_tlast  : out std_logic
  );
end entity an_pynq;

architecture rtl of an_pynq is

  constant C_ID     : std_logic_vector(31 downto 0) := x"414e4e31";
  constant C_SHAPE  : std_logic_vector(31 downto 0) := x"$shape";
  constant C_FORMAT : std_logic_vector(31 downto 0) := x"$format";

  signal s_enable, s_reset, s_core_resetn : std_logic;
  signal s_write, s_awready, s_bvalid     : std_logic;
  signal s_read, s_arready, s_rvalid      : std_logic;
  signal s_rdata  : std_logic_vector(31 downto 0);
  signal s_tvalid, s_tready, s_tlast      : std_logic;
  signal s_rest   : std_logic;  -- beats of the current transfer belong to a vector not yet complete
  signal s_ovalid, s_olast : std_logic;
  signal s_class, s_last_class : std_logic_vector($class_high downto 0);
  signal s_error  : std_logic;
  signal s_beat   : unsigned($frame_high downto 0);
  signal s_vector_in, s_vector_out : std_logic;
  signal s_flight : unsigned(15 downto 0);  -- vectors that began and have not left
  signal s_done   : unsigned(31 downto 0);
  signal s_cycles, s_clock : unsigned(31 downto 0);

begin

  s_core_resetn <= aresetn and not s_reset;
  s_tvalid <= s_axis_tvalid and s_enable;
  s_axis_tready <= s_tready and s_enable;

  -- A DMA marks the end of a transfer, which may hold many vectors: the core gets its own mark.
  s_tlast <= '1' when s_beat = $frame_last else '0';

  i_core : entity work.an_top
    port map (
      aclk => aclk,
      aresetn => s_core_resetn,
      s_axis_tdata => s_axis_tdata,
      s_axis_tvalid => s_tvalid,
      s_axis_tready => s_tready,
      s_axis_tlast => s_tlast,
      m_axis_tdata => m_axis_tdata,
      m_axis_tvalid => s_ovalid,
      m_axis_tready => m_axis_tready,
      m_axis_tlast => s_olast,
      m_axis_tuser => s_class,
      frame_error => open
    );

  m_axis_tvalid <= s_ovalid;
  -- the outgoing transfer ends with the last vector of the incoming one
  m_axis_tlast <= '1' when s_olast = '1' and s_flight = 1 and s_rest = '0' else '0';

  s_vector_in <= '1' when s_tvalid = '1' and s_tready = '1' and s_beat = 0 else '0';
  s_vector_out <= s_ovalid and m_axis_tready and s_olast;

  p_count : process (aclk)
  begin
    if rising_edge(aclk) then
      if s_core_resetn = '0' then
        s_beat <= (others => '0');
        s_rest <= '0';
        s_error <= '0';
        s_flight <= (others => '0');
        s_done <= (others => '0');
        s_cycles <= (others => '0');
        s_clock <= (others => '0');
        s_last_class <= (others => '0');
      else
        if s_tvalid = '1' and s_tready = '1' then
          s_rest <= not s_axis_tlast;
          if s_beat = $frame_last then
            s_beat <= (others => '0');
          else
            s_beat <= s_beat + 1;
            s_error <= s_error or s_axis_tlast;  -- a transfer that ends within a vector
          end if;
        end if;
        if s_vector_in = '1' and s_vector_out = '0' then
          s_flight <= s_flight + 1;
        elsif s_vector_in = '0' and s_vector_out = '1' then
          s_flight <= s_flight - 1;
        end if;
        if s_vector_in = '1' and s_flight = 0 then
          s_clock <= to_unsigned(1, s_clock'length);
        else
          s_clock <= s_clock + 1;
        end if;
        if s_vector_out = '1' then
          s_done <= s_done + 1;
          s_cycles <= s_clock + 1;
          s_last_class <= s_class;
        end if;
      end if;
    end if;
  end process p_count;

  -- Writes: address and data are taken together.
  s_write <= s_axi_awvalid and s_axi_wvalid and not s_awready and not s_bvalid;
  s_axi_awready <= s_awready;
  s_axi_wready <= s_awready;
  s_axi_bvalid <= s_bvalid;
  s_axi_bresp <= "00";

  p_write : process (aclk)
  begin
    if rising_edge(aclk) then
      if aresetn = '0' then
        s_awready <= '0';
        s_bvalid <= '0';
        s_enable <= '0';
        s_reset <= '0';
      else
        s_reset <= '0';
        s_awready <= s_write;
        if s_write = '1' then
          s_bvalid <= '1';
          if s_axi_awaddr(5 downto 2) = "0001" and s_axi_wstrb(0) = '1' then
            s_enable <= s_axi_wdata(0);
            s_reset <= s_axi_wdata(1);
          end if;
        elsif s_axi_bready = '1' and s_bvalid = '1' then
          s_bvalid <= '0';
        end if;
      end if;
    end if;
  end process p_write;

  s_read <= s_axi_arvalid and not s_arready and not s_rvalid;
  s_axi_arready <= s_arready;
  s_axi_rvalid <= s_rvalid;
  s_axi_rdata <= s_rdata;
  s_axi_rresp <= "00";

  p_read : process (aclk)
  begin
    if rising_edge(aclk) then
      if aresetn = '0' then
        s_arready <= '0';
        s_rvalid <= '0';
      else
        s_arready <= s_read;
        if s_read = '1' then
          s_rvalid <= '1';
        elsif s_axi_rready = '1' then
          s_rvalid <= '0';
        end if;
      end if;
      if s_read = '1' then
        s_rdata <= (others => '0');
        case s_axi_araddr(5 downto 2) is
          when "0000" => s_rdata <= C_ID;
          when "0001" => s_rdata(0) <= s_enable;
          when "0010" =>
            s_rdata(0) <= s_error;
            if s_flight /= 0 then
              s_rdata(1) <= '1';
            end if;
          when "0011" => s_rdata <= C_SHAPE;
          when "0100" => s_rdata <= C_FORMAT;
          when "0101" => s_rdata <= std_logic_vector(s_done);
          when "0110" => s_rdata($class_high downto 0) <= s_last_class;
          when "0111" => s_rdata <= std_logic_vector(s_cycles);
          when others => null;
        end case;
      end if;
    end if;
  end process p_read;

end architecture rtl;
