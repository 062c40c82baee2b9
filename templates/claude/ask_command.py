# A terminal obeys control characters, so an answer shows them by their numbers.
CONTROL_CHARACTERS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def as_utf8(argument: str) -> str:
    """The argument without what no request can hold: the bytes that Python could not decode are tried as UTF-8."""
    return argument.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


class Command(BaseCommand):
    help = "Asks Claude and shows the answer as it arrives."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompt", help="the question, in quotes")
        parser.add_argument("--system", help="a system prompt in place of CLAUDE_SYSTEM_PROMPT")
        parser.add_argument("--max-tokens", type=int, help="the longest answer, in tokens")

    def handle(self, *, prompt: str, system: str | None, max_tokens: int | None, **options: object) -> None:
        if not prompt.strip():
            raise CommandError('Give a question, as in: manage.py ask "Why is the sky blue?"')
        if max_tokens is not None and max_tokens < 1:
            raise CommandError("--max-tokens must be more than 0.")
        if sys.stdout is None or sys.stderr is None:  # as in a shell, `>&-`
            raise CommandError("Standard output and standard error must be open: the answer would be lost.")
        # UTF-16 joins the halves of a character that two pieces share; it replaces one that stands alone.
        self.decoder = codecs.getincrementaldecoder("utf-16-le")("replace")
        try:
            try:
                shown = self.show(as_utf8(prompt), system and as_utf8(system), max_tokens)
                answer = {{ "asyncio.run(shown)  # async_to_sync would ignore Ctrl-C" if cookiecutter.view_style == "async" else "shown" }}
            finally:
                self.write("\n")
        except Failure as failure:
            raise CommandError(f"{failure.sentence} ({failure.detail or failure.kind}).") from None
        except KeyboardInterrupt:
            raise CommandError("Stopped.", returncode=130) from None
        except OSError as error:
            # What is left in the buffer is written when Python ends, and would fail again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if isinstance(error, BrokenPipeError):  # as from `head`, which has read enough
                return
            raise CommandError(f"The answer could not be written: {error.strerror}.") from None
        counts = f"{answer.usage.all_input_tokens} tokens in, {answer.usage.output_tokens} out"
        self.stderr.write(f"{counts}, ended with {str(answer.stop_reason).translate(CONTROL_CHARACTERS)}.")
        if answer.refusal:
            raise CommandError(answer.refusal)

    def write(self, piece: str) -> None:
        """Shows a piece at once, with a question mark for each character that the terminal lacks."""
        if piece is RESTART:
            self.stdout.write("\n")
            self.stderr.write("Claude takes back what stands above.")
        elif piece is THINKING:
            self.stderr.write("Claude is thinking.")
        text = self.decoder.decode(piece.encode("utf-16-le", "surrogatepass")).translate(CONTROL_CHARACTERS)
        encoding = getattr(self.stdout, "encoding", None) or "utf-8"
        self.stdout.write(text.encode(encoding, "replace").decode(encoding), ending="")
        self.stdout.flush()

