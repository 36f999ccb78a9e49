/* SPDX-License-Identifier: Apache-2.0
 * environment - the variables that the hub's own client knows: token, endpoint, offline.
 */
#ifndef LEITMOTIF_FETCH_MODEL_ENVIRONMENT_H
#define LEITMOTIF_FETCH_MODEL_ENVIRONMENT_H

#include <stdbool.h>

/* HF_TOKEN, else the file HF_TOKEN_PATH or HF_HOME/token names; yours, NULL without one. -1: one that no header can hold. */
int environment_token(char **token);

/* A number at least minimum; fallback where the variable is not set. */
int environment_number(const char *variable, double fallback, double minimum, double *value);

const char *environment_endpoint(void); /* HF_ENDPOINT, else the hub */
bool environment_offline(void);         /* HF_HUB_OFFLINE: 1, on, yes or true */

#endif
