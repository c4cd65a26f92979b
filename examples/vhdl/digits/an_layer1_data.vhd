-- an_layer1_data: the constants of layer 1, written by AnalogNet.
-- sB.F is a two's complement number of B bits of which F are a fraction.

library ieee;
use ieee.std_logic_1164.all;

package an_layer1_data is

  -- weights s8.6: one word per beat; neuron n of the pass and input i of the beat at bits 8 * (n * 1 + i)
  type t_weights is array (natural range <>) of std_logic_vector(79 downto 0);
  constant C_WEIGHTS : t_weights(31 downto 0) := (
    -- neurons 0 to 9
    0 => 80x"020aeb1afbca1900f6c6",
    1 => 80x"0b10fb05fc07b3db080f",
    2 => 80x"ff0000010001ffff0000",
    3 => 80x"fa0ef10eebfabd190519",
    4 => 80x"01ff0000000000ff0100",
    5 => 80x"000100000101000100ff",
    6 => 80x"f807190912f80dcdcc06",
    7 => 80x"0202f9f7ddd811160ade",
    8 => 80x"efc128c4f622f9e120ec",
    9 => 80x"e1f413d115f2de2b20d2",
    10 => 80x"cc03f705ec1bcc260904",
    11 => 80x"fef1edc816d6180019b1",
    12 => 80x"ff0001ff00ffffff01ff",
    13 => 80x"08fa0ab1fbcc1517ed11",
    14 => 80x"b7f31d0a0ffa1c18f8d8",
    15 => 80x"18f00edad7f201010e18",
    16 => 80x"0ffef2fe07ca0bff00f6",
    17 => 80x"feff00ffff000000fe01",
    18 => 80x"fdfbbc0c160eeedc1ced",
    19 => 80x"cb0e0b18c315f30507e5",
    20 => 80x"35dd13eafc28c703b2ad",
    21 => 80x"c311d518f20af90cfa07",
    22 => 80x"00ff00ff010100000100",
    23 => 80x"0304e0131be2de06f016",
    24 => 80x"091ae9050b100bb2e4ef",
    25 => 80x"f4dc12fd2e00eea6db18",
    26 => 80x"f9fa1f02d117e5dc060c",
    27 => 80x"0c0f09e0ed13efbd0bdd",
    28 => 80x"fff9cc05dc22e3e31ff7",
    29 => 80x"e6a1fd160f150e11ec1c",
    30 => 80x"101cead3be011624b120",
    31 => 80x"1404daed0bebfedff913"
  );

  -- biases with 2**10 for 1.0, and the half of the rounding, 1
  type t_bias is array (natural range <>) of std_logic_vector(16 downto 0);
  constant C_BIAS : t_bias(15 downto 0) := (
    0 => 17x"00024",
    1 => 17x"1ff8b",
    2 => 17x"00004",
    3 => 17x"00061",
    4 => 17x"0002a",
    5 => 17x"1ffc8",
    6 => 17x"00003",
    7 => 17x"0002e",
    8 => 17x"0003b",
    9 => 17x"1ffe2",
    others => (others => '0')
  );

end package an_layer1_data;
