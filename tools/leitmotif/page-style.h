/* SPDX-License-Identifier: Apache-2.0
 * page-style - what index.html looks like and does, as text to put into it: it needs no other file and no network.
 */
#ifndef LEITMOTIF_PAGE_STYLE_H
#define LEITMOTIF_PAGE_STYLE_H

extern const char page_style[], page_script[];

#endif
