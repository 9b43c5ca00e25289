/*
 * agent-protocol.h - what goes through an agent's pipes
 */
#pragma once

#include <stdint.h>

#include "agent.h"

enum agent_op {
    AGENT_OPEN,
    AGENT_CLOSE,
    AGENT_ADD,
    AGENT_REMOVE,
    AGENT_ADD_MANY,
    AGENT_ADDS,
    AGENT_CLOSES,
};

struct agent_command {
    enum agent_op op;
    int instance, wd;
    uint32_t mask;
    uint64_t count, interval_ns;
    char path[AGENT_PATH_MAX];
};

/* At these descriptors in the agent. */
enum { AGENT_SHARED_FD = 3, AGENT_COMMAND_FD = 4, AGENT_ANSWER_FD = 5 };
