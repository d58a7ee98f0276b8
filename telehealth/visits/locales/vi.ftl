error-visit-unknown = Không tìm thấy lượt khám có mã này hôm nay.
error-visit-over = Lượt khám này đã kết thúc.
error-event-reused = Mã sự kiện này đã được gửi với nội dung khác.
error-event-settled = Việc này vừa được người khác xử lý.
field-visit-named = Cần mã lượt khám, hoặc mã lịch hẹn (chỉ một trong hai).
field-orders-missing = Cần ít nhất một chỉ định.
field-orders-twice = Có chỉ định được ghi hai lần.
field-category-missing = Chỉ định mới cần loại: xét nghiệm hay chẩn đoán hình ảnh.
