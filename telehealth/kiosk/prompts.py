"""What the kiosk says on its screens, in both languages; a prompt is named as the page names it (`said`)."""

from collections.abc import Mapping

EDITION = "1"
"""Raise it with new clips: browsers keep a clip for a year under its address."""

PROMPTS: Mapping[str, Mapping[str, str]] = {
    "vi": {
        "welcome": "Kính chào quý vị. Vui lòng chạm vào việc quý vị cần, hoặc đưa thẻ căn cước vào máy quét. "
        "Nếu cấp cứu, chạm vào ô màu đỏ.",
        "read": "Vui lòng đưa thẻ căn cước, thẻ bảo hiểm, hoặc mã lịch hẹn vào máy quét.",
        "priority": "Quý vị thuộc nhóm ưu tiên nào?",
        "confirm": "Có đúng là quý vị không? Nếu đúng, chạm vào ô màu xanh.",
        "new": "Quý vị đến lần đầu. Vui lòng xem lại họ tên. Số điện thoại có thể để trống.",
        "choose": "Quý vị muốn khám ở đâu? Nếu chưa rõ, chạm vào ô trên cùng để nhân viên giúp.",
        "slip": "Số của quý vị đang hiện trên màn hình. Mời quý vị ngồi chờ và theo dõi bảng gọi số.",
        "refused": "Chưa lấy được số. Vui lòng đọc dòng chữ trên màn hình, hoặc chạm vào ô Gọi nhân viên.",
        "feedback": "Vui lòng chạm vào mức hài lòng của quý vị.",
        "emergency": "Mời đi thẳng vào khoa cấp cứu. Nhân viên đang đến.",
        "help": "Đã gọi nhân viên. Vui lòng đợi tại máy.",
        "cut": "Máy đang mất kết nối nhưng vẫn phát số. Chưa tra được lịch hẹn, xin quý vị cứ lấy số. "
        "Vui lòng chạm vào việc quý vị cần.",
        "cut-over": "Máy này đã hết số. Mời quý vị đến quầy tiếp đón, nhân viên sẽ ghi số "
        "vào danh sách giấy.",
    },
    "en": {
        "welcome": "Welcome. Please touch what you need, or show your ID card to the scanner. "
        "In an emergency, touch the red field.",
        "read": "Please show your ID card, insurance card or appointment code to the scanner.",
        "priority": "Which priority group do you belong to?",
        "confirm": "Is this you? If so, touch the green field.",
        "new": "This is your first visit. Please check the name. The phone number may be left empty.",
        "choose": "Where would you like to be seen? If you are not sure, touch the first field for help.",
        "slip": "Your number is on the screen. Please take a seat and watch the board.",
        "refused": "There is no number yet. Please read the screen, or touch Call staff.",
        "feedback": "Please touch how satisfied you were.",
        "emergency": "Please go straight to the emergency department. Staff are coming.",
        "help": "Staff have been called. Please wait here.",
        "cut": "This machine has lost its connection but still gives numbers. It cannot look up "
        "appointments now: please take a number all the same. Please touch what you need.",
        "cut-over": "This machine has no numbers left. Please go to the reception desk: staff write "
        "your number on the paper list.",
    },
}


def clip_path(language: str, name: str) -> str:
    """Return where the clip of a prompt lies among the static files."""
    return f"prompts/{EDITION}/{language}/{name}.mp3"
