push-offer = { $device ->
    [phone] Nhận nhắc lịch ngay trên điện thoại này?
   *[other] Nhận nhắc lịch ngay trên máy này?
  }
push-offer-text = { $device ->
    [phone] Điện thoại sẽ báo trước giờ hẹn và khi sắp đến lượt khám. Không mất tiền. Tin nhắn Zalo hoặc SMS vẫn gửi như thường.
   *[other] Máy sẽ báo trước giờ hẹn và khi sắp đến lượt khám. Không mất tiền. Tin nhắn Zalo hoặc SMS vẫn gửi như thường.
  }
push-offer-privacy = Lời nhắc chỉ có giờ, nơi khám và mã hẹn; không có tên người bệnh.
push-turn-on = Bật nhắc lịch
push-later = Để sau
push-later-noted = Khi nào cần, quý vị bật trong mục Gia đình.
push-on = { $device ->
    [phone] Điện thoại này đang nhận nhắc lịch
   *[other] Máy này đang nhận nhắc lịch
  }
push-on-text = Cho người khác dùng chung máy? Hãy đăng xuất, lời nhắc của quý vị sẽ không hiện nữa.
push-turn-off = Tắt nhắc lịch
push-turned-off = Đã tắt nhắc lịch trên máy này.
push-failed = Chưa bật được nhắc lịch. Vui lòng kiểm tra mạng rồi thử lại.
push-blocked = { $device ->
    [phone] Điện thoại đang chặn lời nhắc của trang này
   *[other] Trình duyệt đang chặn lời nhắc của trang này
  }
push-blocked-chrome-1 = Chạm biểu tượng bên trái địa chỉ trang, ở trên cùng màn hình.
push-blocked-chrome-2 = Chọn “Quyền”, rồi “Thông báo”, rồi bật “Cho phép”.
push-blocked-chrome-3 = Tải lại trang này.
push-blocked-app-1 = Mở “Cài đặt” của iPhone, chọn “Thông báo”.
push-blocked-app-2 = Chọn “{ $app }”, bật “Cho phép thông báo”.
push-blocked-app-3 = Mở lại ứng dụng này từ màn hình chính.
push-blocked-safari-1 = Mở Safari, chọn “Cài đặt”, rồi “Trang web”, rồi “Thông báo”.
push-blocked-safari-2 = Tìm trang này trong danh sách, chọn “Cho phép”.
push-blocked-safari-3 = Tải lại trang này.
push-blocked-other = Mở phần cài đặt của trình duyệt, tìm mục “Thông báo” và cho phép trang này, rồi tải lại trang.
push-home = Nhận nhắc lịch ngay trên iPhone này?
push-home-text = iPhone chỉ nhận lời nhắc khi trang này nằm trên màn hình chính:
push-home-1 = Chạm nút Chia sẻ (hình vuông có mũi tên đi lên).
push-home-2 = Chọn “Thêm vào MH chính” (màn hình chính), rồi chạm “Thêm”.
push-home-3 = Mở “{ $app }” từ màn hình chính, vào “Lịch của tôi” và chạm “Bật nhắc lịch”.
push-home-understood = Đã hiểu
push-bad-keys = Khóa của trình duyệt không đúng dạng.
push-unknown-service = Không phải địa chỉ của một dịch vụ thông báo đã biết.
error-no-push = Nhắc lịch trên trình duyệt chưa được mở ở đây.
error-unknown-push-service = Trình duyệt này dùng một dịch vụ thông báo mà hệ thống chưa biết.
