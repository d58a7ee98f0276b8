error-no-waiting-room = Lúc này không cần vào phòng chờ, quý vị chọn giờ như thường.
admission-outside-title = Phòng chờ đặt lịch
admission-outside-text = Giờ khám mới mở đặt lúc { $opens }. Ai vào trước giờ này được bốc thăm thứ tự công bằng; ai vào sau xếp tiếp theo.
admission-early-title = Quý vị đã vào phòng chờ
admission-early-text = Đúng { $opens } sẽ bốc thăm thứ tự cho mọi người đang chờ. Vào sớm hay muộn trước giờ này đều như nhau.
admission-drawing-title = Đang bốc thăm thứ tự
admission-drawing-text = Vui lòng chờ vài giây.
admission-waiting-title = Quý vị đang xếp hàng
admission-waiting-text = { $count ->
    [0] Quý vị là người kế tiếp. Dự kiến đến lượt lúc { $turn }.
   *[other] Trước quý vị còn { $count } người. Dự kiến đến lượt lúc { $turn }.
}
admission-admitted-title = Đến lượt quý vị
admission-admitted-text = Mời quý vị chọn giờ khám. Lượt này dùng được đến { $until }.
admission-lapsed-title = Lượt của quý vị đã qua
admission-lapsed-text = Vẫn muốn đặt, mời quý vị xếp hàng lại.
admission-ahead = Số người phía trước
admission-turn = Đến lượt khoảng
admission-service = Dịch vụ
admission-place = Nơi khám
admission-enter = Vào phòng chờ
admission-choose = Chọn giờ khám
admission-stay = Trang tự cập nhật. Quý vị giữ trang này mở; mỗi người chỉ có một chỗ xếp hàng, mở nhiều trang không nhanh hơn.
admission-leave-text = Không đặt nữa? Rời phòng chờ thì bỏ chỗ đang xếp; vào lại sau giờ mở phải xếp từ cuối.
admission-leave = Rời phòng chờ
admission-left = Quý vị đã rời phòng chờ và không còn giữ chỗ xếp hàng.
admission-near = Giờ khám mới mở đặt lúc { $opens }. Mời quý vị vào phòng chờ để được xếp thứ tự.
