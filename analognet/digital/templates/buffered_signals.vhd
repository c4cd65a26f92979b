  signal s_buffer       : t_buffer;
  signal s_bank_full    : std_logic_vector(1 downto 0);
  signal s_write        : std_logic;
  signal s_write_bank   : std_logic;
  signal s_written      : unsigned($beat_high downto 0);  -- beats in the bank being written
  signal s_read_bank    : std_logic;
  signal s_pass         : unsigned($pass_high downto 0);
  signal s_address      : unsigned($address_high downto 0);  -- word of C_WEIGHTS
  signal s_there        : std_logic;  -- the next beat is in the buffer
  signal s_gap          : std_logic;  -- the empty cycle after a pass
