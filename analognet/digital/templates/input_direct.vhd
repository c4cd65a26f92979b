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
        s_last <= '$single';
        s_ready <= '0';
      else
        if s_issue = '1' then
          if s_last = '1' then
            s_beat <= (others => '0');
            s_last <= '$single';
          else
            s_beat <= s_beat + 1;
            if s_beat = $beat_before_last then
              s_last <= '1';
            end if;
          end if;
        end if;
        if s_issue = '1' and s_last = '1' then
          s_ready <= '0';
        elsif s_issue = '1' and s_beat /= $beat_before_last then
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
