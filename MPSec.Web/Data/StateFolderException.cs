namespace MPSec.Data;

/// <summary>What is wrong with the state folder.</summary>
public enum StateFolderFault
{
    /// <summary>The folder cannot be made, or nothing can be written in it.</summary>
    NotWritable,

    /// <summary>The file system that holds it is full.</summary>
    DiskFull,

    /// <summary>The database file is damaged or is no SQLite database.</summary>
    Corrupt,

    /// <summary>Another process holds the database locked.</summary>
    Locked,

    /// <summary>Another <c>mpsec serve</c> runs on this folder.</summary>
    InUse,

    /// <summary>The database was written by a newer MPSec.</summary>
    Newer,
}

/// <summary>The state folder cannot be used. The message is one sentence that names the folder, the fault and the way out.</summary>
public sealed class StateFolderException(StateFolderFault fault, string sentence, Exception? cause = null) : Exception(sentence, cause)
{
    /// <summary>Which fault.</summary>
    public StateFolderFault Fault { get; } = fault;

    /// <summary>Process that has the folder; null when that is not what is wrong, or nobody knows.</summary>
    public int? Holder { get; init; }
}
