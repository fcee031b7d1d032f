// The readable text of an HTML page: enough of HTML (WHATWG) to put an article before a model, no browser. Pure.
#pragma once

#include <string>
#include <string_view>

namespace web {

// The title and, after an empty line, the text. Tags, comments, scripts and styles are left out; blocks (paragraphs,
// headings, list items, table rows, …) begin a line of their own, and white space is one space, except in <pre>.
// References are read for & < > " ' and no-break spaces, and by number; others stay as they are. Any bytes are taken,
// in time that grows with their number; UTF-8 gives UTF-8, and never more bytes than it had.
std::string html_to_text(std::string_view html);

}  // namespace web
