error-no-such-facility = Không có cơ sở mang mã { $code }.
error-odd-calendar-day = Ngày làm bù cần biết làm theo thứ mấy; ngày khác thì không được ghi thứ.
error-bad-place = Vị trí phải ghi dạng vĩ độ,kinh độ, ví dụ 10.4957,107.1686.
error-bad-limit = Số mục mỗi trang phải từ 1 đến 100.
error-bad-care-level = Cấp chuyên môn phải là initial, basic hoặc specialised.
error-too-long = Nội dung dài quá.
calendar-nothing-to-clear = Ngày này không có quy định riêng. / There is no override of that day.
