"""`ndfd completion`: the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from ndfd.errors import UsageError


@click.command(short_help="Print the completion script of a shell.")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell: bash (4.4 or newer), zsh or fish.

    \b
    To have it in this shell:          eval "$(ndfd completion bash)"
    To have it in each new one:
      bash   ndfd completion bash > ~/.local/share/bash-completion/completions/ndfd
      zsh    ndfd completion zsh > "${fpath[1]}/_ndfd"
      fish   ndfd completion fish > ~/.config/fish/completions/ndfd.fish
    """
    completer = get_completion_class(shell)
    if completer is None:
        raise UsageError(f"this version of click knows no completion for {shell}")
    root = context.find_root()
    click.echo(completer(root.command, {}, "ndfd", "_NDFD_COMPLETE").source())
