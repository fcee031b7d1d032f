// The readable text of an HTML page: enough of HTML (WHATWG) to put an article before a model, no browser. Pure.
#pragma once

#include <string>
#include <string_view>

namespace web {

// The title and, after an empty line, the text. Tags, comments, scripts and styles are left out; blocks (paragraphs,
// headings, list items, table rows, …) begin a line of their own, and white space is one space, except in <pre>.
// References are read for & < > " ' and no-break spaces, and by number; others stay as they are. Accepts any bytes, in
// linear time. UTF-8 input gives UTF-8 output that is never longer.
std::string html_to_text(std::string_view html);

}  // namespace web
