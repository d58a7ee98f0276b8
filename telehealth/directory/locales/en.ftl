error-no-such-facility = There is no facility with the code { $code }.
error-odd-calendar-day = A day that works like another needs a weekday; any other day may not have one.
error-bad-place = A place is written latitude,longitude, such as 10.4957,107.1686.
error-bad-limit = A page holds 1 to 100 items.
error-bad-care-level = The care level must be initial, basic or specialised.
error-too-long = This text is too long.
calendar-nothing-to-clear = There is no override of that day.
