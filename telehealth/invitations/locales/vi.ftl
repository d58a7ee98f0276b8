error-invitee-unknown = Không tìm thấy lời mời này.
error-invitation-only-video = Chỉ mời được vào buổi khám qua video sắp tới.
error-too-many-invitees = Mỗi buổi khám mời được nhiều nhất { $most } người.
error-bad-invitee = Thông tin người được mời có chỗ chưa đúng. Vui lòng xem lại.
invitations-title = Mời người thân cùng khám qua video
invitations-new = Mời thêm một người
invitations-name = Họ và tên người được mời
invitations-name-missing = Vui lòng nhập họ và tên người được mời.
invitations-contact = Điện thoại hoặc email của người được mời
invitations-contact-missing = Vui lòng nhập số điện thoại hoặc email của người được mời.
invitations-agree = Người bệnh muốn người này cùng nghe bác sĩ nói
invitations-agree-missing = Cần người bệnh đồng ý trước khi mời.
invitations-send = Gửi lời mời
invitations-sent = Đã gửi lời mời tới { $name }.
invitations-told = { $kind ->
    [email] Lời mời gửi tới { $ending }
   *[phone] Lời mời gửi tới số có ba số cuối { $ending }
  }
invitations-withdraw = Rút lời mời
invitations-withdrawn = Đã rút lời mời.
invitations-visit-title = Lời mời cùng khám qua video
invitations-visit-lead = Người thân mời quý vị cùng vào buổi khám này.
invitations-when = Ngày giờ
invitations-where = Nơi khám
invitations-opens = Phòng mở lúc
invitations-coming-text = Nếu buổi khám đổi giờ hoặc hủy, chúng tôi sẽ nhắn cho quý vị. Liên kết này luôn cho biết giờ mới nhất.
invitations-open = Phòng khám đang mở
invitations-open-text = Người bệnh vào phòng từ máy của họ. Mời quý vị cùng nghe qua máy đó, hoặc gọi cho người bệnh ngay bây giờ.
invitations-off = Buổi khám đã hủy
invitations-off-text = Nếu có giờ mới, người thân sẽ mời lại quý vị.
invitations-over = Buổi khám đã kết thúc
invitations-over-text = Lời mời này không còn dùng nữa.
invitations-unknown = Liên kết không dùng được
invitations-unknown-text = Lời mời đã được rút lại, hoặc liên kết bị thiếu chữ. Vui lòng mở lại từ tin nhắn, hoặc hỏi người đã mời quý vị.
portal-invite = Mời người thân cùng vào
