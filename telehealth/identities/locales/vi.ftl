error-record-merged = Một trong hai hồ sơ đã được gộp trước đó. Vui lòng tìm lại.
error-merge-needs-choice = Hai hồ sơ có lịch khám trùng giờ. Hãy chọn lịch nào giữ lại.
error-merge-needs-others = Có lịch khám trùng giờ ở cơ sở khác. Cần cơ sở đó hủy một lịch trước khi gộp.
error-bad-merge = Chưa thể gộp hai hồ sơ. Vui lòng xem lại.
identities-same-missing = Hãy xác nhận đã xem giấy tờ và đây là cùng một người.
