  -- $comment
  p_finish_valid : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if rst_i = '1' then
$valid_reset
      elsif s_go = '1' then
$valid_chain
      end if;
    end if;
  end process p_finish_valid;

  p_finish : process (clk_i)
  begin
    if rising_edge(clk_i) then
      if s_go = '1' then
        for e in 0 to C_EMIT - 1 loop
          s_sum(e) <= s_sums(e) + signed(s_bias((e + 1) * C_ACC - 1 downto e * C_ACC));
$steps
        end loop;
      end if;
    end if;
  end process p_finish;
