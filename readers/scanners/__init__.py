"""Scanners of QR codes: USB in serial and in keyboard mode, cameras, folders of pictures. They only read
text; what it is worth is decided in `readers.ticket_taps`.
"""
