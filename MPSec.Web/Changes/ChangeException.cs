namespace MPSec.Changes;

/// <summary>Why a change was not made or not completed.</summary>
public enum ChangeFault
{
    /// <summary>A field is out of range.</summary>
    Invalid,

    /// <summary>The caller's role does not allow it.</summary>
    NotPermitted,

    /// <summary>The gateway is in observe mode.</summary>
    Observed,

    /// <summary>Another change of the gateway is running.</summary>
    Busy,

    /// <summary>The gateway, interface or other object does not exist.</summary>
    NotFound,

    /// <summary>Something is in the way that MPSec did not make.</summary>
    Foreign,

    /// <summary>This kernel cannot do it.</summary>
    NotAvailable,

    /// <summary>The kernel refused; the sentence holds its reason.</summary>
    Refused,

    /// <summary>Too late: the change was or is being undone.</summary>
    Expired,

    /// <summary>Somebody else saved another version meanwhile; nothing was overwritten.</summary>
    Outdated,
}

/// <summary>A change that was refused or failed. The message is one sentence that names the object and the reason.</summary>
public sealed class ChangeException(ChangeFault fault, string sentence, Exception? cause = null) : Exception(sentence, cause)
{
    /// <summary>Which fault.</summary>
    public ChangeFault Fault { get; } = fault;
}
