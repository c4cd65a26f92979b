# Builds the overlay analognet.bit and analognet.hwh for a PYNQ-Z2 with Vivado:
#   vivado -mode batch -source build_overlay.tcl
# NOT RUN by AnalogNet: it needs the vendor's tools, which are not part of its tests.
# Written for Vivado 2022.1; the VHDL files are expected in ../vhdl and beside this script.

set here [file dirname [file normalize [info script]]]
create_project analognet [file join $$here vivado] -part xc7z020clg400-1 -force
set_property target_language VHDL [current_project]
foreach name {$sources} {
  add_files [file join $$here .. vhdl $$name]
}
add_files [file join $$here an_pynq.vhd]
set_property file_type {VHDL 2008} [get_files *.vhd]
# block designs take no VHDL-2008 top: an_pynq keeps to VHDL-93
set_property file_type {VHDL} [get_files an_pynq.vhd]
update_compile_order -fileset sources_1

create_bd_design system
set ps [create_bd_cell -type ip -vlnv xilinx.com:ip:processing_system7 ps7_0]
apply_bd_automation -rule xilinx.com:bd_rule:processing_system7 \
  -config {make_external "FIXED_IO, DDR" apply_board_preset "0"} $$ps
set_property -dict [list CONFIG.PCW_USE_S_AXI_HP0 {1} CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ {100}] $$ps

set net [create_bd_cell -type module -reference an_pynq an_pynq_0]
set dma [create_bd_cell -type ip -vlnv xilinx.com:ip:axi_dma axi_dma_0]
set_property -dict [list \
  CONFIG.c_include_sg {0} \
  CONFIG.c_sg_length_width {26} \
  CONFIG.c_m_axis_mm2s_tdata_width {$s_bits} \
  CONFIG.c_s_axis_s2mm_tdata_width {$m_bits} \
] $$dma
connect_bd_intf_net [get_bd_intf_pins $$dma/M_AXIS_MM2S] [get_bd_intf_pins $$net/s_axis]
connect_bd_intf_net [get_bd_intf_pins $$net/m_axis] [get_bd_intf_pins $$dma/S_AXIS_S2MM]

foreach slave {an_pynq_0/s_axi axi_dma_0/S_AXI_LITE} {
  apply_bd_automation -rule xilinx.com:bd_rule:axi4 \
    -config {Master "/ps7_0/M_AXI_GP0" Clk "Auto"} [get_bd_intf_pins $$slave]
}
foreach master {M_AXI_MM2S M_AXI_S2MM} {
  apply_bd_automation -rule xilinx.com:bd_rule:axi4 \
    -config {Slave "/ps7_0/S_AXI_HP0" Clk "Auto"} [get_bd_intf_pins axi_dma_0/$$master]
}
validate_bd_design
save_bd_design
make_wrapper -files [get_files system.bd] -top -import
set_property top system_wrapper [current_fileset]

launch_runs impl_1 -to_step write_bitstream -jobs 4
wait_on_run impl_1
file copy -force [glob [file join $$here vivado analognet.runs impl_1 *.bit]] [file join $$here analognet.bit]
file copy -force [glob [file join $$here vivado analognet.gen sources_1 bd system hw_handoff *.hwh]] \
  [file join $$here analognet.hwh]
