// Says what is wrong with a config file that is no TOML, in the words of settings instead of those of the parser.
#pragma once

#include <string>
#include <string_view>

namespace cmd {

struct SyntaxFault {
  std::string message;
  std::string lines;  // "7", or "7 and :41"
  std::string hint;
};

// Explains why the parser of `text` stopped in this line (the first is 1). `parser_message` is what the parser
// reported; where nothing better is known, it is the explanation. Repeats a value of the file only if it is one that
// the setting may have and that cannot be a secret: a choice, or a duration.
SyntaxFault explain_syntax(std::string_view text, std::size_t line, std::string_view parser_message);

}  // namespace cmd
