error-answer-link-unknown = Liên kết có thể bị thiếu khi sao chép, hoặc lịch khám đã đổi giờ. Vui lòng mở liên kết trong tin nhắn mới nhất, hoặc gọi tổng đài để được giúp.
answers-unknown-title = Liên kết này không mở được
answers-when = Giờ hẹn
answers-where = Nơi khám
answers-code = Mã lịch hẹn
answers-room = phòng { $room }
answers-by-video = Khám qua video với { $facility }
answers-call = Cần hỏi thêm, gọi nơi khám:
answers-see-mine = Xem lịch của tôi
answers-book-again = Đặt lịch mới
answers-keep = Giữ lịch, tôi sẽ đến
answers-cannot = Không đến được giờ này?
answers-cancel-link = Hủy lịch, nhường chỗ cho người khác
answers-move-link = Đổi giờ khác (cần đăng nhập)

answers-confirm-open-title = Quý vị sẽ đến khám chứ?
answers-confirm-open-text = Bấm nút dưới đây để nơi khám biết mà chuẩn bị đón quý vị.
answers-confirm-open-text-video = Bấm nút dưới đây để bác sĩ biết mà chờ quý vị.
answers-confirm-button = Tôi sẽ đến
answers-confirm-button-video = Tôi sẽ có mặt
answers-confirm-done-title = Cảm ơn quý vị đã báo
answers-confirm-done-text = Nơi khám đã biết quý vị sẽ đến. Vui lòng đến trước giờ hẹn 15 phút, mang theo giấy tờ tùy thân và thẻ BHYT (nếu có).
answers-confirm-done-text-video = Bác sĩ đã biết quý vị sẽ có mặt. Gần đến giờ, quý vị sẽ nhận tin nhắn có đường dẫn vào phòng khám.

answers-cancel-open-title = Hủy lịch khám này?
answers-cancel-open-text = Hủy xong, chỗ này nhường ngay cho người khác. Quý vị đặt lại lúc nào cũng được.
answers-cancel-button = Tôi không đến được, hủy lịch
answers-cancel-done-title = Lịch khám này đã hủy
answers-cancel-done-text = Quý vị không cần đến nữa. Nếu vẫn cần khám, vui lòng đặt lịch mới hoặc gọi nơi khám.

answers-on-my-way-open-title = Quý vị đã lên đường chưa?
answers-on-my-way-open-text = Bấm nút dưới đây khi bắt đầu đi, để nơi khám biết quý vị đang đến.
answers-on-my-way-button = Tôi đang trên đường
answers-on-my-way-done-title = Nơi khám đã biết quý vị đang đến
answers-on-my-way-done-text = Xin quý vị đi đường cẩn thận. Đến nơi, vui lòng lấy số ở máy hoặc báo quầy đăng ký.
answers-on-my-way-early-title = Còn sớm để báo đang trên đường
answers-on-my-way-early-text = Quý vị báo được từ { $time } ngày khám. Lịch khám vẫn giữ nguyên.

answers-arrived-title = Quý vị đã làm thủ tục đến khám
answers-arrived-text = Nơi khám đã ghi nhận quý vị có mặt. Cần đổi hay hủy, vui lòng báo quầy đăng ký.
answers-cancelled-title = Lịch khám này đã hủy
answers-cancelled-text = Quý vị không cần đến nữa. Nếu vẫn cần khám, vui lòng đặt lịch mới hoặc gọi nơi khám.
answers-moved-title = Lịch khám này đã đổi giờ
answers-moved-text = Liên kết này là của giờ cũ. Vui lòng mở liên kết trong tin nhắn mới nhất, hoặc đăng nhập để xem giờ mới.
answers-over-title = Giờ hẹn này đã qua
answers-over-text = Nếu quý vị chưa được khám, vui lòng gọi nơi khám hoặc đặt lịch mới.
