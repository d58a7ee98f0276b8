error-fhir-bad-parameter = Không đọc được giá trị của tham số { $name }.
error-fhir-unknown-parameter = Tham số { $name } không được hỗ trợ ở đây.
error-fhir-too-broad = Phạm vi tìm quá rộng. Vui lòng nêu thêm { $name }.
error-fhir-invalid-resource = Nội dung gửi lên không phải tài nguyên FHIR mà thao tác này nhận.
error-fhir-not-offered = Giờ khám này không còn được mời đặt. Vui lòng tìm lại.
fhir-field-invalid = Thiếu, hoặc không đúng định dạng FHIR.
fhir-more = Còn nhiều hơn { $count } kết quả. Vui lòng thu hẹp phạm vi tìm để xem tiếp.
