"""Letters by electronic mail: written from a room's own templates, in text and in HTML, and sent through `CDP_SMTP_URL`.

    LETTERS = Letters("cdp.access.issuer")          # cdp/access/issuer/letters/reset.txt and reset.html
    letter = LETTERS.write("reset", to="ana@client.example", settings=settings, link=link)
    await send(letter, settings)

Without `CDP_SMTP_URL` letters are kept as files in `CDP_DATA_DIR/mail` in development, and refused in production.
"""

from cdp.mail.letters import Letter, Letters
from cdp.mail.sending import LetterRefused, MailUnavailable, NoMailServer, send, send_now, sends

__all__ = ["Letter", "LetterRefused", "Letters", "MailUnavailable", "NoMailServer", "send", "send_now", "sends"]
