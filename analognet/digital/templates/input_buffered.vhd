  -- Input side: a buffer of two banks. One fills while C_PASSES passes read the other, each
  -- for another group of neurons; a pass may follow the writer of its bank one beat behind.
  x_ready_o <= not s_bank_full(0) when s_write_bank = '0' else not s_bank_full(1);

  p_write : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_write_bank <= '0';
        s_written <= (others => '0');
      elsif s_write = '1' then
        if s_written = C_BEATS - 1 then
          s_written <= (others => '0');
          s_write_bank <= not s_write_bank;
        else
          s_written <= s_written + 1;
        end if;
      end if;
    end if;
  end process p_write;

  s_write <= x_valid_i and x_ready_o;

  p_bank : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_bank_full <= "00";
      else
        if s_write = '1' and s_written = C_BEATS - 1 then
          if s_write_bank = '0' then
            s_bank_full(0) <= '1';
          else
            s_bank_full(1) <= '1';
          end if;
        end if;
        if s_issue = '1' and s_last = '1' and s_pass = C_PASSES - 1 then
          if s_read_bank = '0' then
            s_bank_full(0) <= '0';
          else
            s_bank_full(1) <= '0';
          end if;
        end if;
      end if;
    end if;
  end process p_bank;

  -- A beat is there when its bank is full, or when the writer is beyond it. The last beat of a
  -- pass waits until the sums before it have left, and one empty cycle follows it.
  s_there <= '1' when (s_read_bank = '0' and s_bank_full(0) = '1')
                   or (s_read_bank = '1' and s_bank_full(1) = '1')
                   or (s_read_bank = s_write_bank and s_written > s_beat) else '0';
  s_issue <= s_there and not s_gap and not (s_last and s_busy);

  p_read : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
        s_read_bank <= '0';
        s_beat <= (others => '0');
        s_last <= '$single';
        s_pass <= (others => '0');
        s_address <= (others => '0');
        s_gap <= '0';
      else
        s_gap <= s_issue and s_last;
        if s_issue = '1' then
          s_address <= s_address + 1;
          if s_last = '1' then
            s_beat <= (others => '0');
            s_last <= '$single';
            if s_pass = C_PASSES - 1 then
              s_pass <= (others => '0');
              s_address <= (others => '0');
              s_read_bank <= not s_read_bank;
            else
              s_pass <= s_pass + 1;
            end if;
          else
            s_beat <= s_beat + 1;
            if s_beat = $beat_before_last then
              s_last <= '1';
            end if;
          end if;
        end if;
      end if;
    end if;
  end process p_read;

  p_operands : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if s_write = '1' then
        s_buffer(to_integer(s_write_bank & s_written)) <= x_data_i;
      end if;
      s1_x <= s_buffer(to_integer(s_read_bank & s_beat));
      s1_w <= C_WEIGHTS(to_integer(s_address));
    end if;
  end process p_operands;
