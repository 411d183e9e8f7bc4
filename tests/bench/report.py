# SPDX-License-Identifier: MIT
"""The bench's table: printed row by row as it grows, and written into a document."""
import datetime
import os
import platform
import re
import subprocess

DOCUMENT = '''# Performance

`./dev bench --write` measures Frank beside Debian's Postfix in one go and puts its table here. Both are
durable: a 250 is sent after a sync. They run one after another on the same machine and file system, with
the same generator, which shares the processor with them; so each column is worth as much as the others,
and the ratios say more than the figures.

- *Postfix* accepts into its hold queue: its fastest form, one fsync a message and no queue manager. Where
  mail is passed on, it has its normal queue and smtp-sink behind it. Both servers log to a file.
- *smtp-sink* stores nothing. Sent to directly, it shows the ceiling of the generator, smtp-source.
- *Kept* is one connection for many messages (`smtp-source -d`), *new connections* one for each.
- Server CPU is user and system time of all the server's processes, without the generator's.
- Times to the 250 and sessions with STARTTLS and AUTH are measured by two small programs in `tests/bench/`
  that share no code with Frank.
- Memory is the proportional share (PSS) that 480 idle connections add, after EHLO.

{begin}
{end}
'''

BEGIN, END = '<!-- bench: begin -->', '<!-- bench: end -->'


class Table:
    def __init__(self, names):
        self.names = names
        self.rows = []			# (group, title, [cells])
        self.heads = [*names, *(['Frank / Postfix'] if {'Frank', 'Postfix'} <= set(names) else []),
                      *(['Frank / smtp-sink'] if {'Frank', 'smtp-sink'} <= set(names) else []),
                      'to reach']
        print(f'{"":62}' + ''.join(f'{head:>18}' for head in self.heads[:-1])
              + '  ' + self.heads[-1])

    def add(self, group, figure):
        cells = [number(figure.values.get(name), figure.unit) for name in self.names]
        for other in ('Postfix', 'smtp-sink'):
            if f'Frank / {other}' in self.heads:
                cells.append(ratio(figure.values.get('Frank'), figure.values.get(other)))
        self.rows.append((group, figure.title, [*cells, figure.target]))
        print(f'{figure.title:62}' + ''.join(f'{cell:>18}' for cell in cells)
              + '  ' + figure.target, flush=True)

    def markdown(self):
        lines = ['| figure | ' + ' | '.join(self.heads) + ' |',
                 '|---|' + '---:|' * (len(self.heads) - 1) + '---|']
        lines += [f'| {title} | ' + ' | '.join(cells) + ' |' for _, title, cells in self.rows]
        return '\n'.join(lines)

    def write(self, path):
        """Replaces what stands between the markers; the words around them are people's."""
        text = (open(path).read() if os.path.exists(path)
                else DOCUMENT.format(begin=BEGIN, end=END))
        block = f'{BEGIN}\n{machine()}\n\n{self.markdown()}\n{END}'
        with open(path, 'w') as stream:
            stream.write(re.sub(re.escape(BEGIN) + '.*' + re.escape(END), lambda _: block, text,
                                flags=re.S))


def number(value, unit):
    if value is None:
        return '–'
    if value >= 100:
        return f'{value:,.0f} {unit}'
    return f'{value:.3g} {unit}'


def ratio(ours, theirs):
    return f'{ours / theirs:.2f}' if ours is not None and theirs else '–'


def machine():
    """One sentence about where the figures come from."""
    model = re.search(r'model name\s*:\s*(.*)', open('/proc/cpuinfo').read())
    release = re.search(r'PRETTY_NAME="(.*)"', open('/etc/os-release').read())
    directory = os.environ['TMPDIR']
    system = subprocess.run(['stat', '-f', '-c', '%T', directory], capture_output=True, text=True,
                            check=False).stdout.strip()
    postfix = subprocess.run(['postconf', '-d', '-h', 'mail_version'], capture_output=True, text=True,
                             check=False).stdout.strip()
    return (f'Measured {datetime.date.today()} with `./dev bench --write`: {os.cpu_count()} cores '
            f'({model.group(1) if model else platform.machine()}), shared with the generator; '
            f'{release.group(1)}, Linux {platform.release()}, Postfix {postfix}, spools on {system}.')
