class Command(BaseCommand):
    help = "Asks Claude and shows the answer as it arrives."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("prompt", help="the question, in quotes")
        parser.add_argument("--system", help="a system prompt in place of CLAUDE_SYSTEM_PROMPT")
        parser.add_argument("--max-tokens", type=int, help="the longest answer, in tokens")

    def handle(self, *, prompt: str, system: str | None, max_tokens: int | None, **options: object) -> None:
        if not prompt.strip():
            raise CommandError('Give a question, as in: manage.py ask "Why is the sky blue?"')
        try:
            answer = {{ "async_to_sync(self.show)" if cookiecutter.view_style == "async" else "self.show" }}(prompt, system, max_tokens)
        except Failure as failure:
            self.stdout.write("")
            raise CommandError(f"{failure.sentence} ({failure.detail or failure.kind}).") from None
        self.stdout.write("")
        counts = f"{answer.usage.input_tokens} tokens in, {answer.usage.output_tokens} out"
        self.stderr.write(f"{counts}, ended with {answer.stop_reason}.")

