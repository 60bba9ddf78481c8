"""Macros the translated SQL calls: what DuckDB can say itself, once per database."""

from __future__ import annotations

MACROS = r"""
CREATE MACRO ln_or_nan(x) AS CASE WHEN x < 0 OR isnan(x) THEN CAST('NaN' AS DOUBLE)
  WHEN x = 0 THEN CAST('-Infinity' AS DOUBLE) ELSE ln(x) END;
CREATE MACRO athena_wall(utc, zone) AS CAST(timezone(zone, timezone('UTC', utc)) AS TIMESTAMP);
CREATE MACRO athena_before(local, zone, utc) AS
  local - (athena_wall(utc - INTERVAL 6 HOUR, zone) - (utc - INTERVAL 6 HOUR));
-- When summer time ends an hour comes twice: the first is meant, DuckDB takes the second.
CREATE MACRO athena_earlier(local, zone, utc) AS CASE
  WHEN athena_wall(athena_before(local, zone, utc), zone) = local THEN least(athena_before(local, zone, utc), utc) ELSE utc END;
CREATE MACRO athena_to_utc(local, zone) AS CASE
  WHEN zone = 'UTC' THEN local
  WHEN zone[1] IN ('+', '-') THEN local - to_minutes(athena_offset_minutes(zone))
  ELSE athena_earlier(local, zone, CAST(timezone('UTC', timezone(zone, local)) AS TIMESTAMP)) END;
CREATE MACRO athena_at(moment, zone) AS CASE
  WHEN moment IS NOT NULL AND zone IS NOT NULL THEN {'t': CAST(moment AS TIMESTAMP), 'z': zone} END;
CREATE MACRO athena_zoned(local, zone) AS CASE WHEN local IS NOT NULL AND zone IS NOT NULL
  THEN {'t': athena_to_utc(CAST(local AS TIMESTAMP), zone), 'z': zone} END;
CREATE MACRO athena_from_local(local, zone) AS CASE WHEN local IS NOT NULL AND zone IS NOT NULL
  THEN {'t': athena_to_utc(CAST(local AS TIMESTAMP), zone), 'z': zone} END;
CREATE MACRO athena_time_utc(v) AS epoch_us(DATE '1970-01-01' + v.t) - athena_offset_minutes(v.z) * 60000000;
CREATE MACRO athena_offset_name(minutes) AS CASE WHEN minutes = 0 THEN 'UTC' ELSE
  (CASE WHEN minutes < 0 THEN '-' ELSE '+' END)
  || lpad(CAST(abs(minutes) // 60 AS VARCHAR), 2, '0') || ':' || lpad(CAST(abs(minutes) % 60 AS VARCHAR), 2, '0') END;
CREATE MACRO athena_clock_offset(minutes) AS (CASE WHEN minutes < 0 THEN '-' ELSE '+' END)
  || lpad(CAST(abs(minutes) // 60 AS VARCHAR), 2, '0') || ':' || lpad(CAST(abs(minutes) % 60 AS VARCHAR), 2, '0');
CREATE MACRO athena_clock_zone(z) AS z[1] || lpad(regexp_extract(z, '[0-9]{1,2}'), 2, '0') || ':'
  || CASE WHEN length(z) > 3 THEN z[-2:] ELSE '00' END;
CREATE MACRO athena_percentile(l, p) AS l[least(len(l), CAST(floor(p * len(l)) AS BIGINT) + 1)];
CREATE MACRO athena_number_or_null(x) AS CASE WHEN NOT isnan(x) THEN x END;
CREATE MACRO athena_round_to(x, f) AS CASE WHEN isfinite(x) AND abs(x * f) < 9e15
  THEN CASE WHEN x < 0 THEN -floor(-x * f + 0.5) / f ELSE floor(x * f + 0.5) / f END ELSE x END;
CREATE MACRO athena_unpack(l) AS map_from_entries(l);
CREATE MACRO athena_has_null(l) AS len(list_filter(l, lambda _mz: _mz IS NULL)) > 0;
CREATE MACRO athena_all(l) AS CASE WHEN l IS NULL THEN NULL WHEN list_contains(l, false) THEN false
  WHEN athena_has_null(l) THEN NULL ELSE true END;
CREATE MACRO athena_any(l) AS CASE WHEN l IS NULL THEN NULL WHEN list_contains(l, true) THEN true
  WHEN athena_has_null(l) THEN NULL ELSE false END;
CREATE MACRO athena_distinct(l) AS list_filter(l, lambda _mx, _mi: CASE
  WHEN _mx IS NULL THEN len(list_filter(l[1:_mi - 1], lambda _my: _my IS NULL)) = 0
  ELSE list_position(l, _mx) = _mi END);
-- `e` the entries, `k` their keys: a macro's argument inside a lambda would be computed for every element.
CREATE MACRO athena_first_of(m) AS CASE WHEN len(list_distinct(m.k)) = len(m.k) THEN map_from_entries(m.e)
  ELSE map_from_entries(list_transform(list_sort(list_transform(list_distinct(m.k), lambda _mk: list_position(m.k, _mk))),
    lambda _mp: m.e[_mp])) END;
CREATE MACRO athena_first_of_keys(entries) AS list_transform(
  [{'e': entries, 'k': list_transform(entries, lambda _my: _my.key)}], lambda _mm: athena_first_of(_mm))[1];
-- Sorted by key and place, each key's values lie side by side; a captured list is never cut, which would copy it.
CREATE MACRO athena_key_groups(m) AS map_from_entries(list_transform(
  list_sort(list_transform(m.starts, lambda _mp, _mi: {'first': m.entries[_mp].place, 'start': _mp,
    'past': CASE WHEN _mi < len(m.starts) THEN m.starts[_mi + 1] ELSE len(m.entries) + 1 END})),
  lambda _mg: {'key': m.entries[_mg.start].key, 'value': list_select(m.items, range(_mg.start, _mg.past))}));
CREATE MACRO athena_sorted_multimap(entries) AS list_transform([{'entries': entries,
  'items': list_transform(entries, lambda _mx: _mx.value),
  'starts': list_filter(list_transform(entries, lambda _mx, _mi:
    CASE WHEN _mi = 1 OR entries[_mi - 1].key IS DISTINCT FROM _mx.key THEN _mi END), lambda _mi: _mi IS NOT NULL)}],
  lambda _mm: athena_key_groups(_mm))[1];
CREATE MACRO athena_multimap(entries) AS list_transform(
  [list_sort(list_transform(entries, lambda _mx, _mi: {'key': _mx.key, 'place': _mi, 'value': _mx.value}))],
  lambda _ml: athena_sorted_multimap(_ml))[1];
CREATE MACRO athena_divide(x, y) AS CASE WHEN y = 0 THEN CASE WHEN x = 0 OR isnan(x) THEN CAST('NaN' AS DOUBLE)
  WHEN (x > 0) = NOT signbit(y) THEN CAST('Infinity' AS DOUBLE) ELSE CAST('-Infinity' AS DOUBLE) END ELSE x / y END;
CREATE MACRO athena_fmod(x, y) AS CASE WHEN x IS NULL OR y IS NULL THEN NULL WHEN y = 0 OR isinf(x) THEN CAST('NaN' AS DOUBLE) WHEN isinf(y) THEN x ELSE x % y END;
CREATE MACRO athena_round_half_up(x) AS CASE WHEN isfinite(x) AND abs(x) < 4503599627370496
  THEN CASE WHEN x < 0 THEN -floor(-x + 0.5) ELSE floor(x + 0.5) END ELSE x END;
CREATE MACRO athena_round_decimal(x) AS athena_text_decimal(CAST(x AS VARCHAR), 38, 0);
CREATE MACRO athena_floor_div(x, n) AS x // n - CASE WHEN x % n < 0 THEN 1 ELSE 0 END;
CREATE MACRO athena_round_millis(us) AS athena_floor_div(us + 500, 1000);
CREATE MACRO athena_units(a, b, n) AS (b - a) // n;
CREATE MACRO athena_months_raw(a, b) AS (date_part('year', b) - date_part('year', a)) * 12 + date_part('month', b) - date_part('month', a);
CREATE MACRO athena_month_fraction(x) AS epoch_us(CAST(x AS TIMESTAMP)) - epoch_us(CAST(date_trunc('month', x) AS TIMESTAMP));
CREATE MACRO athena_months_between(a, b) AS CASE
  WHEN a <= b THEN athena_months_raw(a, b) - CASE WHEN a + to_months(CAST(athena_months_raw(a, b) AS INTEGER)) > b THEN 1 ELSE 0 END
  ELSE athena_months_raw(a, b) + CASE WHEN b + to_months(CAST(athena_months_raw(b, a) AS INTEGER)) > a THEN 1 ELSE 0 END END;
CREATE MACRO athena_greatest(l) AS coalesce(list_max(list_filter(l, lambda _mx: NOT isnan(_mx))), list_max(l));
CREATE MACRO athena_least(l) AS coalesce(list_min(list_filter(l, lambda _mx: NOT isnan(_mx))), list_min(l));
CREATE MACRO athena_float_text(x, s) AS CASE WHEN x IS NULL THEN NULL WHEN isnan(x) THEN 'NaN'
  WHEN isinf(x) THEN CASE WHEN x > 0 THEN 'Infinity' ELSE '-Infinity' END WHEN x = 0 THEN CASE WHEN signbit(x) THEN '-0E0' ELSE '0E0' END
  ELSE athena_scientific(s) END;
CREATE MACRO athena_double_text(x) AS athena_float_text(x, CAST(x AS VARCHAR));
CREATE MACRO athena_real_text(x) AS athena_float_text(x, athena_seven_digits(CAST(x AS DOUBLE)));
CREATE MACRO athena_json_double(x) AS athena_double(x);
CREATE MACRO athena_json_real(x) AS athena_double(CAST(x AS FLOAT));
CREATE MACRO athena_log(b, x) AS ln_or_nan(x) / ln_or_nan(b);
CREATE MACRO athena_date_text(s) AS CASE WHEN regexp_matches(s, '^\s*[+-]?\d{1,6}-\d{1,2}-\d{1,2}\s*$') THEN regexp_replace(s, '\s', '', 'g') END;
"""
