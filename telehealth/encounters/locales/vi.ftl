error-encounter-over = Lượt khám này đã kết thúc.
