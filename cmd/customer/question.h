// What `request` asks, read from its options, its words and standard input.
#pragma once

#include <iosfwd>

#include "cmd/cli/command.h"
#include "cmd/customer/market.h"
#include "pipeline/nostr/nip90_ask.h"

namespace cmd {

void add_question_options(cxxopts::OptionAdder& add);

// Each fails with a usage error that names the option. Without any input, the prompt is read from context.in; a person
// at a terminal is asked for it.
base::Result<nostr::Question> read_question(const Arguments& arguments, const Config& config, Context& context);
base::Result<std::int64_t> read_timeout_ms(const Arguments& arguments);

// What its provider must be able to do.
Need need_of(const nostr::Question& question, const Arguments& arguments);

// The customer's key: from --key-file, else a new key that is not stored. Fails as read_key_file().
base::Result<nostr::SecretKey> read_key(const Arguments& arguments);

}  // namespace cmd
