  i_layer${k} : entity work.an_layer${k}
    port map (
      clk_i => aclk,
      rst_i => s_reset,
      x_data_i => s_${k}_data,
      x_valid_i => s_${k}_valid,
      x_ready_o => s_${k}_ready,
      y_data_o => s_${next}_data,
      y_valid_o => s_${next}_valid,
      y_ready_i => s_${next}_ready
    );
