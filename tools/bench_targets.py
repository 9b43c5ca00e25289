"""What is wanted of the benchmarks, what they measured, and the floor."""

# In these the subject does what a user of it would.
OURS = ('engine', 'guest')


def rows_of(benches, name, table=0):
    found = benches.get(name)
    return found['tables'][table]['rows'] if found else []


def extent(values):
    """"0.9 - 1.3", or "-"."""
    values = [value for value in values if value is not None]
    if not values:
        return '-'
    low, high = (f'{value:,.0f}' if value >= 1000 else f'{value:.3g}'
                 for value in (min(values), max(values)))
    return low if low == high else f'{low} - {high}'


def column(rows, name, **where):
    """A column of the rows that have these values, or one of them."""
    return [row.get(name) for row in rows
            if all(row.get(key) in (value if isinstance(value, tuple)
                                    else (value,))
                   for key, value in where.items())]


RELAY = 'what the relay takes'


def latency(benches):
    rows = rows_of(benches, 'latency')
    small = [row for row in rows if row['entries'] <= 100]
    relay = extent(column(small, 'p50 / native', subject='relay'))
    for subject, most in (('engine', 2.4), ('guest', 2.7)):
        yield (f'{subject}: p50 / native, up to 100 entries', f'<= {most}',
               extent(column(small, 'p50 / native', subject=subject)),
               f'{relay}: {RELAY}')
    relay = extent(column(small, 'p99 / native', subject='relay'))
    yield ('guest: p99 / native, up to 100 entries', '<= 3',
           extent(column(small, 'p99 / native', subject='guest')),
           f'{relay}: {RELAY}')
    for entries in (1000, 10000):
        ratios = {subject: extent(column(rows, 'p50 / (listing + 25 us)',
                                         subject=subject, entries=entries))
                  for subject in ('guest', 'relay')}
        yield (f'guest: p50 / (listing + 25 us), {entries:,} entries',
               '<= 1.15', ratios['guest'], f'{ratios["relay"]}: {RELAY}')
    many = {subject: extent([row['p50 us'] / row['listing us'] for row in rows
                             if row['entries'] == 100000 and
                             row['subject'] == subject])
            for subject in ('guest', 'relay')}
    yield ('guest: p50 / listing, 100,000 entries', '<= 0.7', many['guest'],
           f'{many["relay"]}: {RELAY}; 0.5: half of it until a name is read')


def throughput(benches):
    rows = rows_of(benches, 'throughput')
    yield ('100,000 files flat out: lost', 'none',
           extent(column(rows, 'lost %', subject=OURS)), '')
    yield ('events/s / native', '>= 1.2',
           extent(column(rows, 'events/s / native', subject=OURS)),
           extent(column(rows, 'events/s / native', subject='floor')))
    native = {row['fs']: row['writer slowed x'] for row in rows
              if row['subject'] == 'native'}
    yield ('writer slowed / slowed by native', '<= 1',
           extent([row['writer slowed x'] / native[row['fs']] for row in rows
                   if row['subject'] in OURS]), '')


def interference(benches):
    rows = rows_of(benches, 'interference')
    ratios = column(rows, 'p99 churn / idle', subject=OURS,
                    what=('event', 'add_watch', 'close'))
    pipes = column(rows, 'p99 churn / idle', subject=OURS, what='pipe')
    yield ('p99 beside a directory of 100,000 that churns / idle', '<= 1.5',
           extent(ratios), f'{extent(pipes)}: a wake-up by a pipe')
    yield ('the same with one global lock (10,000 entries)', '',
           extent(column(rows, 'p99 churn / idle', subject='global-lock',
                         what=('event', 'add_watch', 'close'))), '')


def addwatch(benches):
    rows = rows_of(benches, 'addwatch')
    yield ('add_watch / its four primitives', '<= 1.5',
           extent(column(rows, 'mean / primitives', subject='engine')),
           f'{extent(column(rows, "mean / primitives", subject="calls"))}: '
           'the calls that it makes, alone')
    yield ('add_watch at 100,000 directories / at 1,000', '<= 1.2',
           extent(column(rows, 'mean / at 1,000', subject='engine',
                         watches=100000)), '')


def resources(benches):
    yield ('bytes a directory of 10 files', '<= 450',
           extent(column(rows_of(benches, 'memory'), 'bytes a watch',
                         subject=OURS)), '')
    yield ('wake-ups of 100,000 idle watches', '0',
           extent(column(rows_of(benches, 'idle'), 'wake-ups', subject=OURS)),
           '')


def figure(benches, name, what):
    return column(rows_of(benches, name), 'value', what=what)


def scale(benches):
    for name in ('parked', 'parked-fewer'):
        count = extent(figure(benches, name, 'directories'))
        yield (f"{count} directories: a parked one's first event / an open "
               "one's", '<= 1.3',
               extent(figure(benches, name, 'parked / open')), '')
    yield ('six watches on each of 157,000 files: memory / of one', '<= 1.3',
           extent(figure(benches, 'files', 'memory, six guests / one')), '')
    yield ('the same: descriptors', '<= 14,000',
           extent(figure(benches, 'files', 'descriptors')), '')


def projects(benches):
    yield ('dev servers: ready / native', '<= 1.5',
           extent(column(rows_of(benches, 'devserver'), 'ready / native',
                         subject='guest')),
           extent(column(rows_of(benches, 'devserver'), 'ready / native',
                         subject='trapped')) +
           ': each add_watch trapped, its primitives, a look at each file '
           'that may change, and no more')
    yield ('save to report - native, ms', '<= 1',
           extent(column(rows_of(benches, 'devserver', 1), 'p50 - native ms',
                         subject='guest', save='any')), '')
    yield ('the same, of saves in place', '<= 1',
           extent(column(rows_of(benches, 'devserver', 1), 'p50 - native ms',
                         subject='guest', save='in place')), '')
    yield ("a project's pipeline / native", '<= 1.10',
           extent(column(rows_of(benches, 'pipeline'), 's / native',
                         subject='guest')), '')


def targets_table(benches):
    """Markdown, of those that there are figures for."""
    lines = ['| what | wanted | measured | floor here |', '|---|---|---|---|']
    for part in (latency, throughput, interference, addwatch, resources,
                 scale, projects):
        lines += [f'| {" | ".join(row)} |' for row in part(benches)
                  if row[2] != '-']
    return '\n'.join(lines)
