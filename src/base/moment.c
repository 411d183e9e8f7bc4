/* SPDX-License-Identifier: MIT */
#include "base/moment.h"

#include <stdio.h>
#include <time.h>

enum { MS_PER_DAY = 86400000 };

static int64_t clock_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t moment_wall_ms(void)
{
	return clock_us(CLOCK_REALTIME) / 1000;
}

int64_t moment_monotonic_ms(void)
{
	return clock_us(CLOCK_MONOTONIC) / 1000;
}

int64_t moment_monotonic_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

struct civil {
	int64_t year;
	unsigned month, day; /* from 1 */
	unsigned weekday;    /* 0 is Sunday */
	unsigned hour, minute, second, ms;
};

/* Days since 1970 to a date of the proleptic Gregorian calendar. Years begin in March and are
   counted in eras of 400, so that the leap day is the last of its year and eras are alike. */
static void set_date(struct civil *c, int64_t days)
{
	int64_t shifted = days + 719468; /* 0 is 1 March 0000 */
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned day_of_era = (unsigned)(shifted - era * 146097);
	unsigned year_of_era =
	    (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
	    day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * day_of_year + 2) / 153; /* 0 is March */

	c->day = day_of_year - (153 * month + 2) / 5 + 1;
	c->month = month < 10 ? month + 3 : month - 9;
	c->year = (int64_t)year_of_era + era * 400 + (c->month <= 2);
	c->weekday = (unsigned)(((days + 4) % 7 + 7) % 7);
}

static struct civil civil_from_wall(int64_t wall_ms)
{
	int64_t ms_of_day = wall_ms % MS_PER_DAY;
	struct civil c;
	unsigned rest;

	if (ms_of_day < 0)
		ms_of_day += MS_PER_DAY;
	set_date(&c, (wall_ms - ms_of_day) / MS_PER_DAY);
	rest = (unsigned)ms_of_day;
	c.ms = rest % 1000;
	c.second = rest / 1000 % 60;
	c.minute = rest / 60000 % 60;
	c.hour = rest / 3600000;
	return c;
}

const char *moment_format_rfc3339(int64_t wall_ms, char out[MOMENT_TEXT_MAX])
{
	struct civil c = civil_from_wall(wall_ms);

	snprintf(out, MOMENT_TEXT_MAX, "%04lld-%02u-%02uT%02u:%02u:%02uZ", (long long)c.year,
	    c.month, c.day, c.hour, c.minute, c.second);
	return out;
}

const char *moment_format_rfc3339_ms(int64_t wall_ms, char out[MOMENT_TEXT_MAX])
{
	struct civil c = civil_from_wall(wall_ms);

	snprintf(out, MOMENT_TEXT_MAX, "%04lld-%02u-%02uT%02u:%02u:%02u.%03uZ", (long long)c.year,
	    c.month, c.day, c.hour, c.minute, c.second, c.ms);
	return out;
}

const char *moment_format_rfc5322(int64_t wall_ms, char out[MOMENT_TEXT_MAX])
{
	static const char weekdays[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug",
		"Sep", "Oct", "Nov", "Dec" };
	struct civil c = civil_from_wall(wall_ms);

	snprintf(out, MOMENT_TEXT_MAX, "%s, %u %s %04lld %02u:%02u:%02u +0000", weekdays[c.weekday],
	    c.day, months[c.month - 1], (long long)c.year, c.hour, c.minute, c.second);
	return out;
}

/* The smaller unit is left out when there is none of it. */
static void format_pair(char out[MOMENT_TEXT_MAX], int64_t seconds, int64_t unit, char unit_name,
    int64_t part, char part_name)
{
	int64_t parts = seconds % unit / part;

	if (parts)
		snprintf(out, MOMENT_TEXT_MAX, "%lld%c %lld%c", (long long)(seconds / unit),
		    unit_name, (long long)parts, part_name);
	else
		snprintf(out, MOMENT_TEXT_MAX, "%lld%c", (long long)(seconds / unit), unit_name);
}

const char *moment_format_duration(int64_t duration_ms, char out[MOMENT_TEXT_MAX])
{
	int64_t seconds = duration_ms / 1000;

	if (duration_ms < 0)
		snprintf(out, MOMENT_TEXT_MAX, "0ms");
	else if (seconds == 0)
		snprintf(out, MOMENT_TEXT_MAX, "%lldms", (long long)duration_ms);
	else if (seconds < 60)
		snprintf(out, MOMENT_TEXT_MAX, "%llds", (long long)seconds);
	else if (seconds < 3600)
		format_pair(out, seconds, 60, 'm', 1, 's');
	else if (seconds < 86400)
		format_pair(out, seconds, 3600, 'h', 60, 'm');
	else
		format_pair(out, seconds, 86400, 'd', 3600, 'h');
	return out;
}
