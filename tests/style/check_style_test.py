#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""tools/check-style finds each fault in a tree that is made to have it, and none in a clean one."""
import os
import subprocess
import sys
import tempfile

TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'check-style')
SPDX = '/* SPDX-License-Identifier: MIT */\n'
TABLE = '''| folder | one line | may include |
|---|---|---|
| `src/base` | spans | libc |
| `src/smtp` * | engine | base |
| `src/cli` | main | all above |
'''


def header(guard, text=''):
    return f'{SPDX}#ifndef {guard}\n#define {guard}\n{text}#endif\n'


CLEAN = {
    'docs/architecture.md': TABLE,
    'src/base/span.h': header('FRANK_BASE_SPAN_H'),
    'src/base/memory.c': SPDX + 'void *f(void)\n{\n\treturn malloc(1);\n}\n',
    'src/smtp/line.h': header('FRANK_SMTP_LINE_H'),
    'src/smtp/line.c': SPDX + '#include "smtp/line.h"\n\n#include "base/span.h"\n\n'
                              '/* strcpy(a, b) in words */\nstatic const int table[] = { 1 };\n',
    'src/cli/main.c': SPDX + '#include "smtp/line.h"\n#include <time.h>\n',
}

# (what, file, its text, what the fault says)
FAULTS = [
    ('an include upwards', 'src/base/span.h',
     header('FRANK_BASE_SPAN_H', '#include "smtp/line.h"\n'), 'src/base may not include smtp'),
    ('an include without its folder', 'src/cli/main.c', SPDX + '#include "main.h"\n',
     'to be included as'),
    ('another header before the own one', 'src/smtp/line.c',
     SPDX + '#include "base/span.h"\n#include "smtp/line.h"\n', 'own header'),
    ('a clock in a pure folder', 'src/smtp/line.h',
     header('FRANK_SMTP_LINE_H', '#include <time.h>\n'), 'pure and may not include time.h'),
    ('a log line in a pure folder', 'src/smtp/line.c', SPDX + '#include "smtp/line.h"\n'
     'void f(void)\n{\n\tlog_begin();\n}\n', 'pure and may not call log_begin'),
    ('a global in a pure folder', 'src/smtp/line.c', SPDX + '#include "smtp/line.h"\n'
     'static int count;\n', 'no writable globals'),
    ('a banned function', 'src/cli/main.c', SPDX + 'void f(void)\n{\n\tstrcpy(a, b);\n}\n',
     'strcpy() is banned'),
    ('malloc outside its wrapper', 'src/cli/main.c', SPDX + 'void *p = malloc(1);\n',
     'malloc() is banned'),
    ('a wrong guard', 'src/smtp/line.h', header('LINE_H'), 'FRANK_SMTP_LINE_H'),
    ('a long line', 'src/cli/main.c', SPDX + '/* ' + 'x' * 100 + ' */\n', 'longer than'),
    ('blanks at an end', 'src/cli/main.c', SPDX + 'int a; \n', 'blanks'),
    ('no licence line', 'src/cli/main.c', 'int a;\n', 'SPDX'),
    ('work left for later', 'src/cli/main.c', SPDX + '/* TO' + 'DO */\n', 'finish it'),
    ('a file that has grown too long', 'src/cli/main.c', SPDX + 'int a;\n' * 700, 'split it'),
    ('a folder without a row', 'src/net/conn.c', SPDX + 'int a;\n', 'has no row'),
    ('a row that points upwards', 'docs/architecture.md', TABLE.replace('| libc |', '| cli |'),
     'not above it'),
]


def faults_of(files):
    with tempfile.TemporaryDirectory() as top:
        os.mkdir(os.path.join(top, 'tests'))
        for name, text in files.items():
            path = os.path.join(top, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w') as stream:
                stream.write(text)
        return subprocess.run([TOOL, top], capture_output=True, text=True, check=False).stdout


def main():
    failed = 0
    for name, file, text, want in [('a clean tree', 'src/cli/main.c', CLEAN['src/cli/main.c'], ''),
                                   *FAULTS]:
        found = faults_of({**CLEAN, file: text})
        lines = found.splitlines()
        passed = found == '' if want == '' else any(want in line for line in lines)
        failed += not passed
        print(f'[{"       OK" if passed else "  FAILED "} ] {name}' + ('' if passed else f'\n{found}'))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
