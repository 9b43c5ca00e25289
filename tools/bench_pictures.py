"""Pictures of benchmark results, drawn by gnuplot as SVG and PNG."""
import os
import subprocess

# One colour a subject in every picture, told apart without colour as well.
SUBJECTS = ['native', 'trapped', 'engine', 'guest', 'global-lock', 'relay']
COLOURS = {'native': '#444444', 'engine': '#0072b2', 'guest': '#009e73',
           'global-lock': '#d55e00', 'relay': '#cc79a7',
           'trapped': '#cc79a7'}
POINTS = {'native': 7, 'engine': 5, 'guest': 9, 'global-lock': 13,
          'relay': 11}

TERMINALS = {
    'svg': 'svg size {w},{h} font "DejaVu Sans,12" background "white"',
    'png': 'pngcairo size {w},{h} font "DejaVu Sans,10"',
}


def rows_of(result):
    return result['tables'][0]['rows']


def values_of(rows, key):
    """The values of a column in the order in which they first appear."""
    return list(dict.fromkeys(row[key] for row in rows))


def block(name, lines):
    return f'${name} << EOD\n' + '\n'.join(lines) + '\nEOD\n'


def run_gnuplot(script, path, width, height):
    for kind, terminal in TERMINALS.items():
        head = (f'set terminal {terminal.format(w=width, h=height)}\n'
                f'set output "{path}.{kind}"\n')
        subprocess.run(['gnuplot'], input=head + script, text=True, check=True)


def latency_panel(rows, fs, number):
    """p50 by the number of entries; an empty directory is drawn at 1."""
    script, plots = '', []
    for subject in SUBJECTS:
        points = [f'{max(r["entries"], 1)} {r["p50 us"]} {r["p99 us"]}'
                  for r in rows if r['fs'] == fs and r['subject'] == subject]
        if not points:
            continue
        data = f'd{number}_{subject.replace("-", "_")}'
        script += block(data, points)
        plots.append(f'${data} using 1:2 with linespoints lw 2 '
                     f'pt {POINTS[subject]} lc rgb "{COLOURS[subject]}" '
                     f'title "{subject}"')
    floor = {max(r['entries'], 1): r['listing us']
             for r in rows if r['fs'] == fs}
    data = f'floor{number}'
    script += block(data, [f'{x} {y}' for x, y in sorted(floor.items())])
    plots.append(f'${data} using 1:2 with lines lw 2 dt 2 lc rgb "#999999" '
                 'title "one listing"')
    script += f'set title "{fs}"\nplot ' + ', \\\n  '.join(plots) + '\n'
    return script


def draw_latency(result, path):
    rows = rows_of(result)
    file_systems = values_of(rows, 'fs')
    script = (f'set multiplot layout 1,{len(file_systems)}\n'
              'set logscale xy\nset grid ytics lc rgb "#dddddd"\n'
              'set key top left\nset format x "10^{%L}"\n'
              'set xtics add ("0" 1)\nset xrange [0.8:150000]\n'
              'set xlabel "entries in the directory"\n'
              'set ylabel "create to event, p50, microseconds"\n')
    lowest = min(r['listing us'] for r in rows)
    highest = max(r['p50 us'] for r in rows)
    script += f'set yrange [{lowest / 2}:{highest * 10}]\n'
    for number, fs in enumerate(file_systems):
        script += latency_panel(rows, fs, number)
    run_gnuplot(script + 'unset multiplot\n', path,
                480 * len(file_systems), 420)


def bars(rows, group, columns, number):
    """A group of bars for each value of `group`, a bar for each subject."""
    groups = values_of(rows, group)
    subjects = [s for s in SUBJECTS if s in values_of(rows, 'subject')]
    script, plots = '', []
    width = 0.8 / len(subjects)
    for place, subject in enumerate(subjects):
        points = []
        for at, name in enumerate(groups):
            x = at + (place - (len(subjects) - 1) / 2) * width
            for row in rows:
                if row[group] == name and row['subject'] == subject:
                    points.append(f'{x} ' + ' '.join(
                        str(row.get(c, 'NaN')) for c in columns))
        data = f'b{number}_{subject.replace("-", "_")}'
        script += block(data, points)
        plots.append((data, subject))
    ticks = ', '.join(f'"{name}" {at}' for at, name in enumerate(groups))
    script += (f'set xtics ({ticks}) scale 0\n'
               f'set xrange [-0.6:{len(groups) - 0.4}]\n'
               f'set boxwidth {width * 0.9}\nset style fill solid\n')
    return script, plots


def draw_throughput(result, path):
    rows = [row for row in rows_of(result) if row['subject'] in COLOURS]
    script = ('set multiplot layout 1,3\nset grid ytics lc rgb "#dddddd"\n'
              'set key top right\n')
    panels = [('events/s / native', 'events a second, native is 1'),
              ('lost %', 'lost, percent of the files'),
              ('writer slowed x', 'time of the writer, unwatched is 1')]
    for number, (column, label) in enumerate(panels):
        top = max(row.get(column, 0) for row in rows)
        part, plots = bars(rows, 'fs', [column], number)
        script += part + f'set title "{label}"\n'
        script += f'set yrange [0:{max(top * 1.6, 1)}]\n'
        script += 'plot ' + ', \\\n  '.join(
            f'${data} using 1:2 with boxes lc rgb "{COLOURS[subject]}" '
            f'title "{subject}"' for data, subject in plots) + '\n'
    run_gnuplot(script + 'unset multiplot\n', path, 1080, 380)


def interference_panel(rows, fs, what, number):
    """A line from idle to churning for each subject; log scale."""
    part, plots = bars(
        [dict(r, group='X in ' + ('the same' if r['instance'] == 'same'
                                  else 'another') + ' instance')
         for r in rows if r['fs'] == fs and r['what'] == what],
        'group', ['idle p99 us', 'churn p99 us'], number)
    names = {'event': 'an event of Y', 'add_watch': 'add_watch of Z',
             'close': 'close of an instance'}
    script = part + f'set title "{names[what]} ({fs})" noenhanced\n'
    drawn = []
    for data, subject in plots:
        colour = COLOURS[subject]
        drawn.append(f'${data} using 1:3 with boxes fs solid lc rgb '
                     f'"{colour}" title "{subject}"')
    # What it is when X rests: a white mark in each bar.
    for at, (data, _) in enumerate(plots):
        title = 'title "X rests"' if at == 0 else 'notitle'
        drawn.append(f'${data} using 1:2 with points pt 7 ps 1.1 lc rgb '
                     f'"white" notitle')
        drawn.append(f'${data} using 1:2 with points pt 6 ps 1.1 lw 1.5 '
                     f'lc rgb "black" {title}')
    return script + 'plot ' + ', \\\n  '.join(drawn) + '\n'


def draw_interference(result, path):
    rows = rows_of(result)
    file_systems = values_of(rows, 'fs')
    kinds = [k for k in ('event', 'add_watch') if k in values_of(rows, 'what')]
    low = min(r['idle p99 us'] for r in rows)
    high = max(max(r['churn p99 us'], r['idle p99 us']) for r in rows)
    script = (f'set multiplot layout {len(file_systems)},{len(kinds)}\n'
              'set logscale y\nset grid ytics lc rgb "#dddddd"\n'
              'set format y "10^{%L}"\n'
              'set key top left maxrows 3\n'
              'set ylabel "p99 while X changes, microseconds"\n'
              f'set yrange [{low / 3}:{high * 60}]\n')
    number = 0
    for fs in file_systems:
        for what in kinds:
            script += interference_panel(rows, fs, what, number)
            number += 1
    run_gnuplot(script + 'unset multiplot\n', path, 480 * len(kinds),
                380 * len(file_systems))


def draw_devserver(result, path):
    """Until ready, and from a save of any kind to its report."""
    saves = [row for row in result['tables'][1]['rows'] if row['save'] == 'any']
    panels = [(rows_of(result), 'ready s', 'until ready, seconds'),
              (saves, 'p50 ms', 'save to report, p50, milliseconds')]
    script = ('set multiplot layout 1,2\nset grid ytics lc rgb "#dddddd"\n'
              'set key top right\n')
    for number, (rows, column, label) in enumerate(panels):
        part, plots = bars(rows, 'client', [column], number)
        top = max(row[column] for row in rows)
        script += part + f'set title "{label}"\nset yrange [0:{top * 1.3}]\n'
        script += 'plot ' + ', \\\n  '.join(
            f'${data} using 1:2 with boxes lc rgb "{COLOURS[subject]}" '
            f'title "{subject}"' for data, subject in plots) + '\n'
    run_gnuplot(script + 'unset multiplot\n', path, 960, 380)


DRAWINGS = {'latency': draw_latency, 'throughput': draw_throughput,
            'interference': draw_interference, 'devserver': draw_devserver}


def draw(benches, directory):
    """Draws what there are results of; the names of the pictures."""
    drawn = [name for name in DRAWINGS if name in benches]
    for name in drawn:
        DRAWINGS[name](benches[name], os.path.join(directory, name))
    return drawn
