error-unsigned-webhook = Lời gọi này không có chữ ký đúng của nhà cung cấp.
