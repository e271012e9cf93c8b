"""A name server on the internet that tells who asks by the address that it answers with.

As resolver1.opendns.com does for myip.opendns.com.
"""

from pytest_aksnet.lab.dns.message import NXDOMAIN, Answer, Question, address_record


class WhoAmI:
    """Knows one name, whose address is that of whoever asks. Nothing may keep the answer."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def resolve(self, question: Question) -> Answer:
        """The asker's address, in the family that it asks from."""
        if question.name != self._name:
            return Answer(rcode=NXDOMAIN, authoritative=True)
        record = address_record(self._name, question.client, 0)
        fits = record.rtype == question.qtype
        return Answer(answers=(record,) if fits else (), authoritative=True)
