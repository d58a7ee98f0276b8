error-slot-unknown = Không tìm thấy giờ khám này. Vui lòng chọn giờ khác.
error-slot-in-past = Giờ khám này đã qua. Vui lòng chọn giờ khác.
error-slot-too-soon = Giờ khám này đã quá sát, không kịp đặt. Vui lòng chọn giờ muộn hơn.
error-slot-too-far = Chưa mở đặt lịch cho ngày này. Vui lòng chọn ngày gần hơn.
error-slot-closed = Buổi khám này tạm ngưng nhận lịch. Vui lòng chọn giờ khác.
error-bad-range = Khoảng thời gian chưa đúng. Vui lòng chọn lại.
field-slot-modality = Chọn khám tại cơ sở hoặc khám qua video.
field-slot-instant = Thời điểm chưa đúng dạng.
