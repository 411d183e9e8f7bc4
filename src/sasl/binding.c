/* SPDX-License-Identifier: MIT */
#include "sasl/binding.h"

const char *sasl_binding_choose(const struct sasl_binding *binding, struct span *data_out)
{
	if (binding->tls_unique.len > 0) {
		*data_out = binding->tls_unique;
		return "tls-unique";
	}
	if (binding->tls_exporter.len > 0) {
		*data_out = binding->tls_exporter;
		return "tls-exporter";
	}
	return NULL;
}

bool sasl_binding_find(const struct sasl_binding *binding, struct span type, struct span *data_out)
{
	struct span data = SPAN("");

	if (span_equal(type, SPAN("tls-exporter")))
		data = binding->tls_exporter;
	else if (span_equal(type, SPAN("tls-unique")))
		data = binding->tls_unique;
	if (data.len == 0)
		return false;
	*data_out = data;
	return true;
}
