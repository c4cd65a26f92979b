-- an_pkg: the fixed-point arithmetic of every layer.
--
-- Numbers are two's complement integers that stand for q * 2**-frac; frac is known to the
-- generator alone. Rounding is half up: the half is added first (in the bias, where there is
-- one), then an_floor_shift drops the fraction. What does not fit saturates.
--
-- Shifts are slices on purpose: shift_right of a signed value reaches some netlists as a
-- logical shift.

library ieee;
use ieee.std_logic_1164.all;
use ieee.numeric_std.all;

package an_pkg is

  -- floor(v / 2**n), v'length - n bits wide, at least 1
  function an_floor_shift (v : signed; n : natural) return signed;

  -- v in `bits` bits: itself where it fits, else the nearest end of the range
  function an_saturate (v : signed; bits : positive) return signed;

  -- negative values become 0
  function an_relu (v : signed) return signed;

  -- 2**(n - 1): the half of a unit after a shift by n; 0 for n = 0
  function an_half (n : natural; bits : positive) return signed;

end package an_pkg;

package body an_pkg is

  function an_floor_shift (v : signed; n : natural) return signed is
    alias a_v : signed(v'length - 1 downto 0) is v;
    variable v_sign : signed(0 downto 0);
  begin
    v_sign(0) := a_v(a_v'high);
    if n >= v'length - 1 then
      return v_sign;
    else
      return a_v(a_v'high downto n);
    end if;
  end function an_floor_shift;

  function an_saturate (v : signed; bits : positive) return signed is
    alias a_v : signed(v'length - 1 downto 0) is v;
    variable v_sign : std_logic;
    variable v_fits : std_logic;
    variable v_result : signed(bits - 1 downto 0);
  begin
    if v'length <= bits then
      v_result := resize(v, bits);
    else
      v_sign := a_v(a_v'high);
      v_fits := '1';
      for i in bits - 1 to a_v'high - 1 loop
        v_fits := v_fits and not (a_v(i) xor v_sign);
      end loop;
      if v_fits = '1' then
        v_result := a_v(bits - 1 downto 0);
      else
        v_result := (others => not v_sign);
        v_result(bits - 1) := v_sign;
      end if;
    end if;
    return v_result;
  end function an_saturate;

  function an_relu (v : signed) return signed is
    alias a_v : signed(v'length - 1 downto 0) is v;
    variable v_result : signed(v'length - 1 downto 0);
  begin
    v_result := a_v;
    if a_v(a_v'high) = '1' then
      v_result := (others => '0');
    end if;
    return v_result;
  end function an_relu;

  function an_half (n : natural; bits : positive) return signed is
    variable v_result : signed(bits - 1 downto 0);
  begin
    v_result := (others => '0');
    if n > 0 then
      v_result(n - 1) := '1';
    end if;
    return v_result;
  end function an_half;

end package body an_pkg;
