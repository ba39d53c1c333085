namespace MPSec.Data.History;

/// <summary>The history database does not hold what was written to it.</summary>
public sealed class HistoryDamageException(string sentence, Exception? cause = null) : Exception(sentence, cause);

/// <summary>History cannot be read now. The message is one sentence.</summary>
public sealed class HistoryUnavailableException(string sentence, Exception? cause = null) : Exception(sentence, cause);
